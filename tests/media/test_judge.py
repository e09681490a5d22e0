"""The judge of all other tests here finds what is wrong: it is given videos that are."""

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


def joined(clips: dict[int, Path], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, PLAIN, folder).path


def changed(path: Path, *arguments: str) -> Path:
    """The video encoded anew with something done to it."""
    target = path.with_name("changed.mp4")
    command = [coded.FFMPEG, "-v", "error", "-i", str(path), *arguments]
    subprocess.run([*command, "-preset", "ultrafast", "-crf", "12", "-y", str(target)], check=True)
    return target


def judged(path: Path) -> None:
    judge.judge(path, EXPECTED, size=SIZE, rate=RATE)


def test_a_right_video_passes(plain: dict[int, Path], tmp_path: Path) -> None:
    judged(joined(plain, tmp_path))


Spoil = Callable[[dict[int, Path], Path], Path]
WRONG: dict[str, tuple[Spoil, str]] = {
    "two clips swapped": (
        lambda clips, room: joined({1: clips[1], 2: clips[3], 3: clips[2]}, room),
        "is of scene 3",
    ),
    "a clip dropped": (
        lambda clips, room: joined({1: clips[1], 2: clips[3]}, room),
        "72 pictures instead of 108",
    ),
    "a clip cut short": (
        lambda clips, room: joined(
            {**clips, 2: coded.clip(room, 2, replace(coded.PLAIN, frames=30), "short")}, room
        ),
        "102 pictures instead of 108",
    ),
    "a clip twice": (
        lambda clips, room: joined({1: clips[1], 2: clips[1], 3: clips[3]}, room),
        "is of scene 1",
    ),
    "stretched": (
        lambda clips, room: changed(joined(clips, room), "-vf", "scale=400:180,crop=320:180"),
        "no readable code",
    ),
    "moved aside": (
        lambda clips, room: changed(joined(clips, room), "-vf", "pad=360:180:40,crop=320:180:0"),
        "no readable code",
    ),
    "upside down": (
        lambda clips, room: changed(joined(clips, room), "-vf", "hflip,vflip"),
        "scene",
    ),
    "slower": (
        lambda clips, room: changed(
            joined(clips, room), "-vf", "setpts=PTS*1.05", "-fps_mode", "passthrough"
        ),
        "is shown at",
    ),
    "a picture lost and another doubled": (
        lambda clips, room: changed(
            joined(clips, room),
            "-vf",
            "select='not(eq(n,50))',tpad=stop=1:stop_mode=clone,setpts=N/24/TB",
            "-c:a",
            "copy",
        ),
        "is number",
    ),
    "without its sound": (
        lambda clips, room: changed(joined(clips, room), "-an"),
        "no sound",
    ),
    "sound 60 ms late": (
        lambda clips, room: changed(joined(clips, room), "-af", "adelay=60,atrim=end=4.5"),
        "is not heard",
    ),
    "sound too long": (
        lambda clips, room: changed(joined(clips, room), "-af", "apad=pad_dur=0.04"),
        "s of sound",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_video_is_found_out(name: str, plain: dict[int, Path], tmp_path: Path) -> None:
    spoil, message = WRONG[name]
    with pytest.raises(AssertionError, match=message):
        judged(spoil(plain, tmp_path))


def test_a_click_is_found_out(plain: dict[int, Path], tmp_path: Path) -> None:
    """The samples of two clips put one after the other without care, as a check of the check."""
    one, other = judge.samples(plain[1]), judge.samples(plain[2])
    end = one[39_999]
    start = max(range(1000, 1200), key=lambda place: abs(other[place] - end))
    bare = [*one[:40_000], *other[start:]]
    loudest = max(abs(value) for value in bare)
    assert judge.sharpest(bare, 40_000 / judge.HERTZ) > loudest / 5
