"""The decoded audio of clips: number of ffmpeg runs and alignment with the frames."""

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
from tests.media.coded import AAC, FFMPEG, PLAIN, ClipSpec

RATE = 48_000
NORMALIZED = replace(AUTO, loudness=Loudness.NORMALIZED)
OTHER = replace(PLAIN, sound_form="r=44100:cl=mono")
OPUS = replace(PLAIN, suffix="mkv", sound=coded.OPUS, after=())
SILENT = replace(PLAIN, sound=None)


def _decode(path: Path) -> "array[int]":
    """Decode the audio of one clip with ffmpeg."""
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
def test_clip_audio_matches_clip_decoded_alone(makes: list[ClipSpec], tmp_path: Path) -> None:
    paths = coded.clips(tmp_path, *makes)
    facts = [probe.probe_clip(n, Clip(path), tmp_path) for n, path in paths.items()]
    plan = timeline.plan_merge(facts, Output(format=Format.WEBM))
    with ThreadPoolExecutor(2) as pool:
        samples_of_all = array("h", decode.lay_out(plan, tmp_path / "all.pcm", pool).read_bytes())
    assert len(samples_of_all) == 2 * decode.samples(plan, plan.frames)
    fade = 2 * RATE // 200
    for shot, make in zip(plan.segments, makes, strict=True):
        begin = 2 * decode.samples(plan, shot.start)
        end = 2 * decode.samples(plan, shot.start + shot.frames)
        clip_samples = samples_of_all[begin + fade : end - fade]
        if make.sound is None:
            assert not any(clip_samples)
            continue
        expected = _decode(shot.probe.path)[fade : fade + len(clip_samples)]
        # Resampling the audio as a whole shifts it by a fraction of a sample.
        difference = max(abs(a - b) for a, b in zip(clip_samples, expected, strict=False))
        assert difference < 0.1 * max(clip_samples), shot.probe.scene
    assert {path.name for path in tmp_path.glob("all*")} == {"all.pcm"}


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which each start of ffmpeg appends a line."""
    log, program = tmp_path / "starts.txt", tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho start >> "{log}"\nexec "{FFMPEG}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.mark.parametrize("volume", ["volume=-24dB", "volume=-4.2dB"])
def test_loudness_normalization_starts_constant_number_of_programs(
    volume: str, starts: Path, tmp_path: Path
) -> None:
    spec = replace(PLAIN, sound=(*AAC, "-af", volume))
    counts = []
    for number in (3, 9):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = coded.clips(folder, *[spec] * number)
        starts.unlink(missing_ok=True)
        assemble.merge_clips(
            {n: Clip(path, spec.frames) for n, path in paths.items()}, NORMALIZED, folder
        )
        counts.append(len(starts.read_text().splitlines()))
        shutil.rmtree(folder)
    assert counts[0] == counts[1]


def test_crossfade_mixes_audio_at_equal_power(tmp_path: Path) -> None:
    """The overlap of half a second has both tones, neither louder than before."""
    loud = replace(PLAIN, frames=48)
    paths = coded.clips(tmp_path, loud, loud)
    output = Output(transition=Transition.CROSSFADE, loudness=Loudness.ORIGINAL)
    merged = assemble.merge_clips({n: Clip(path) for n, path in paths.items()}, output, tmp_path)
    audio, clip_audio = _decode(merged.path), _decode(paths[1])
    second = next(part for part in merged.parts if part.scene == 2)
    assert second.start == pytest.approx(1.5, abs=0.01)
    assert len(audio) / 2 / RATE == pytest.approx(merged.seconds, abs=0.025)

    def level(samples: "array[int]", begin: float, end: float) -> float:
        part = samples[2 * int(begin * RATE) : 2 * int(end * RATE)]
        return math.sqrt(sum(value * value for value in part) / len(part))

    reference = level(clip_audio, 0.2, 1.2)
    assert level(audio, 0.2, 1.2) == pytest.approx(reference, rel=0.05)
    # Two tones at half their amplitude: 3 dB less than one.
    assert level(audio, 1.7, 1.8) == pytest.approx(reference / 2**0.5, rel=0.15)
