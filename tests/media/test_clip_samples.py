"""The clips' sound, decoded: few runs of ffmpeg, and every sample where its picture is."""

import math
import os
import shutil
import subprocess
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from common.domain.output import PLAIN as AUTO
from common.domain.output import Format, Loudness, Output, Transition
from merge import assemble, probe, timeline
from merge.audio import decode
from merge.models import Clip
from tests.media import coded
from tests.media.coded import AAC, FFMPEG, PLAIN, Make

RATE = 48_000
NORMALIZED = replace(AUTO, loudness=Loudness.NORMALIZED)
OTHER = replace(PLAIN, sound_form="r=44100:cl=mono")
OPUS = replace(PLAIN, suffix="mkv", sound=coded.OPUS, after=())
SILENT = replace(PLAIN, sound=None)


def _alone(path: Path) -> "array[int]":
    """Decode one clip's sound as ffmpeg does by itself."""
    mono = ["-af", "pan=stereo|c0=c0|c1=c0"] if _is_mono(path) else []
    command = [FFMPEG, "-v", "error", "-i", str(path), "-vn", *mono, "-ar", str(RATE), "-ac", "2"]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True)
    return array("h", done.stdout)


def _is_mono(path: Path) -> bool:
    done = subprocess.run([FFMPEG, "-i", str(path)], capture_output=True, text=True, check=False)
    return ", mono," in done.stderr


@pytest.mark.parametrize(
    "makes",
    [
        [PLAIN, PLAIN, PLAIN],
        [OTHER, OTHER],
        [PLAIN, OTHER, SILENT, PLAIN, OTHER],
        [PLAIN, OPUS, PLAIN],
        [replace(PLAIN, frames=2), PLAIN, replace(PLAIN, frames=1)],
    ],
)
def test_every_clip_sounds_as_if_it_were_decoded_by_itself(
    makes: list[Make], tmp_path: Path
) -> None:
    paths = coded.clips(tmp_path, *makes)
    facts = [probe.probe_clip(n, Clip(path), tmp_path) for n, path in paths.items()]
    plan = timeline.plan_merge(facts, Output(format=Format.WEBM))
    with ThreadPoolExecutor(2) as pool:
        found = array("h", decode.lay_out(plan, tmp_path / "all.pcm", pool).read_bytes())
    assert len(found) == 2 * decode.samples(plan, plan.frames)
    fade = 2 * RATE // 200
    for shot, make in zip(plan.shots, makes, strict=True):
        begin = 2 * decode.samples(plan, shot.start)
        end = 2 * decode.samples(plan, shot.start + shot.frames)
        own = found[begin + fade : end - fade]
        if make.sound is None:
            assert not any(own)
            continue
        wanted = _alone(shot.facts.path)[fade : fade + len(own)]
        # Sound of another rate is resampled together, which moves it by a part of a sample.
        most = max(abs(a - b) for a, b in zip(own, wanted, strict=False))
        assert most < 0.1 * max(own), shot.facts.scene
    assert {path.name for path in tmp_path.glob("all*")} == {"all.pcm"}


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Count the starts of ffmpeg: each writes a line into this file."""
    log, program = tmp_path / "starts.txt", tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho start >> "{log}"\nexec "{FFMPEG}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.mark.parametrize("volume", ["volume=-24dB", "volume=-4.2dB"])
def test_normalizing_more_clips_does_not_start_more_programs(
    volume: str, starts: Path, tmp_path: Path
) -> None:
    own = replace(PLAIN, sound=(*AAC, "-af", volume))
    counts = []
    for number in (3, 9):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = coded.clips(folder, *[own] * number)
        starts.unlink(missing_ok=True)
        assemble.merge_clips(
            {n: Clip(path, own.frames) for n, path in paths.items()}, NORMALIZED, folder
        )
        counts.append(len(starts.read_text().splitlines()))
        shutil.rmtree(folder)
    assert counts[0] == counts[1]


def test_scenes_that_overlap_are_faded_into_each_other(tmp_path: Path) -> None:
    """Half a second of both, and neither louder than it was."""
    loud = replace(PLAIN, frames=48)
    paths = coded.clips(tmp_path, loud, loud)
    output = Output(transition=Transition.CROSSFADE, loudness=Loudness.ORIGINAL)
    cut = assemble.merge_clips({n: Clip(path) for n, path in paths.items()}, output, tmp_path)
    sound, alone = _alone(cut.path), _alone(paths[1])
    second = next(part for part in cut.parts if part.scene == 2)
    assert second.start == pytest.approx(1.5, abs=0.01)
    assert len(sound) / 2 / RATE == pytest.approx(cut.seconds, abs=0.025)

    def level(of: "array[int]", begin: float, end: float) -> float:
        part = of[2 * int(begin * RATE) : 2 * int(end * RATE)]
        return math.sqrt(sum(value * value for value in part) / len(part))

    whole = level(alone, 0.2, 1.2)
    assert level(sound, 0.2, 1.2) == pytest.approx(whole, rel=0.05)
    # Two tones at half their strength each: 3 dB less than one.
    assert level(sound, 1.7, 1.8) == pytest.approx(whole / 2**0.5, rel=0.15)
