"""The assertions of `judge` detect defective videos."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from merge import assemble
from merge.models import Clip
from tests.media import coded, judge
from tests.media.judge import Scene

SIZE, RATE = (320, 180), Fraction(24)
EXPECTED = [Scene(number, range(coded.PLAIN.frames), SIZE) for number in (1, 2, 3)]


def merge(clips: dict[int, Path], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, PLAIN, folder).path


def transcode(path: Path, *arguments: str) -> Path:
    """Transcode the video with a change."""
    target = path.with_name("changed.mp4")
    command = [coded.FFMPEG, "-v", "error", "-i", str(path), *arguments]
    subprocess.run([*command, "-preset", "ultrafast", "-crf", "12", "-y", str(target)], check=True)
    return target


def assert_expected(path: Path) -> None:
    judge.assert_video(path, EXPECTED, size=SIZE, rate=RATE)


def test_judge_accepts_correct_video(plain: dict[int, Path], tmp_path: Path) -> None:
    assert_expected(merge(plain, tmp_path))


Defect = Callable[[dict[int, Path], Path], Path]
DEFECTS: dict[str, tuple[Defect, str]] = {
    "two clips swapped": (
        lambda clips, folder: merge({1: clips[1], 2: clips[3], 3: clips[2]}, folder),
        "is of scene 3",
    ),
    "a clip dropped": (
        lambda clips, folder: merge({1: clips[1], 2: clips[3]}, folder),
        "72 frames instead of 108",
    ),
    "a clip cut short": (
        lambda clips, folder: merge(
            {**clips, 2: coded.clip(folder, 2, replace(coded.PLAIN, frames=30), "short")}, folder
        ),
        "102 frames instead of 108",
    ),
    "a clip twice": (
        lambda clips, folder: merge({1: clips[1], 2: clips[1], 3: clips[3]}, folder),
        "is of scene 1",
    ),
    "stretched": (
        lambda clips, folder: transcode(merge(clips, folder), "-vf", "scale=400:180,crop=320:180"),
        "no readable code",
    ),
    "moved aside": (
        lambda clips, folder: transcode(
            merge(clips, folder), "-vf", "pad=360:180:40,crop=320:180:0"
        ),
        "no readable code",
    ),
    "upside down": (
        lambda clips, folder: transcode(merge(clips, folder), "-vf", "hflip,vflip"),
        "scene",
    ),
    "slower": (
        lambda clips, folder: transcode(
            merge(clips, folder), "-vf", "setpts=PTS*1.05", "-fps_mode", "passthrough"
        ),
        "is shown at",
    ),
    "a frame lost and another doubled": (
        lambda clips, folder: transcode(
            merge(clips, folder),
            "-vf",
            "select='not(eq(n,50))',tpad=stop=1:stop_mode=clone,setpts=N/24/TB",
            "-c:a",
            "copy",
        ),
        "is number",
    ),
    "without its sound": (
        lambda clips, folder: transcode(merge(clips, folder), "-an"),
        "no sound",
    ),
    "sound 60 ms late": (
        lambda clips, folder: transcode(merge(clips, folder), "-af", "adelay=60,atrim=end=4.5"),
        "is not audible",
    ),
    "sound too long": (
        lambda clips, folder: transcode(merge(clips, folder), "-af", "apad=pad_dur=0.04"),
        "s of sound",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_judge_detects_defective_video(name: str, plain: dict[int, Path], tmp_path: Path) -> None:
    defect, message = DEFECTS[name]
    with pytest.raises(AssertionError, match=message):
        assert_expected(defect(plain, tmp_path))


def test_judge_detects_click(plain: dict[int, Path], tmp_path: Path) -> None:
    """Two clips concatenated without care have a discontinuity that the check detects."""
    first, second = judge.samples(plain[1]), judge.samples(plain[2])
    end = first[39_999]
    start = max(range(1000, 1200), key=lambda index: abs(second[index] - end))
    concatenated = [*first[:40_000], *second[start:]]
    loudest = max(abs(value) for value in concatenated)
    assert judge.max_discontinuity(concatenated, 40_000 / judge.HERTZ) > loudest / 5
