"""Assertions about a finished video by its decoded frames and audio, independent of the product."""

import cmath
import math
import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.media.coded import BLACK, FFMPEG, FIELDS, GREY, SHARE, WHITE, pitch, read_bits

HERTZ = 48_000
SYNC_SECONDS = 0.025
DISPLAYED_GREY = round((GREY - BLACK) * 255 / (WHITE - BLACK))  # full range, 0 to 255
GREY_LEVELS = 2.5  # tolerance of the brightness
_WINDOW = 0.04  # seconds of audio in which a tone is measured


@dataclass(frozen=True)
class Scene:
    """The expected frames and audio of a scene.

    `clip_size` is the size of the whole clip in the frame, before cropping. `numbers` are the
    clip's frame numbers, one for each frame of the result; with another rate they may differ by
    `slack`. `overlap` frames are shared with the previous scene and show both.
    """

    number: int
    numbers: Sequence[float]
    clip_size: tuple[float, float]
    slack: float = 0.1
    audible: bool = True
    overlap: int = 0

    @property
    def frames(self) -> int:
        return len(self.numbers)


def decode(path: Path, size: tuple[int, int]) -> list[bytes]:
    """Return every frame as luma values."""
    command = [FFMPEG, "-v", "error", "-xerror", "-i", str(path), "-map", "0:v"]
    command += ["-fps_mode", "passthrough", "-vf", "format=gray", "-f", "rawvideo", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert not done.stderr, done.stderr.decode()
    step = size[0] * size[1]
    assert len(done.stdout) % step == 0, "the frames have another size"
    return [done.stdout[start : start + step] for start in range(0, len(done.stdout), step)]


def presentation_times(path: Path) -> list[Fraction]:
    """Return the presentation time of each frame in seconds, in presentation order."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough"]
    command += ["-f", "framecrc", "-"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    base = Fraction(next(line for line in text.splitlines() if line.startswith("#tb")).split()[-1])
    return [int(line.split(",")[2]) * base for line in text.splitlines() if line[:1].isdigit()]


def samples(path: Path) -> Sequence[int]:
    """Return the decoded audio, mono at 48 kHz, with as many samples as the decoder returns."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:a", "-ac", "1"]
    command += ["-ar", str(HERTZ), "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, "there is no sound"
    return array("h", done.stdout)


def read_code(
    frame_: bytes, size: tuple[int, int], clip_size: tuple[float, float]
) -> tuple[int, int] | None:
    """Return the scene and frame number of a frame, or None if the code is not in its position."""
    side = float(min(clip_size) * SHARE)
    border = side / (FIELDS * 2 + 2)
    inner = side - 2 * border
    left, top = size[0] / 2 - inner / 2, size[1] / 2 - inner / 2

    def at(x: float, y: float) -> int:
        return frame_[min(size[1] - 1, int(y)) * size[0] + min(size[0] - 1, int(x))]

    middle = (BLACK + WHITE) / 2
    frame = [(left - border / 2, size[1] / 2), (left + inner + border / 2, size[1] / 2)]
    frame += [(size[0] / 2, top - border / 2), (size[0] / 2, top + inner + border / 2)]
    if any(at(x, y) < middle for x, y in frame):
        return None
    # Just outside of the white border is grey, which a stretched square would reach.
    outside = [(left - border * 1.6, size[1] / 2), (left + inner + border * 1.6, size[1] / 2)]
    outside += [(size[0] / 2, top - border * 1.6), (size[0] / 2, top + inner + border * 1.6)]
    if any(abs(at(x, y) - DISPLAYED_GREY) > 40 for x, y in outside):
        return None
    step = inner / FIELDS
    fields = [
        int(at(left + (column + 0.5) * step, top + (row + 0.5) * step) > middle)
        for row in range(FIELDS)
        for column in range(FIELDS)
    ]
    return read_bits(fields)


def brightness(frame_: bytes, size: tuple[int, int], clip_size: tuple[float, float]) -> float:
    """Return the mean level of the grey above and below the square, the same in every clip."""
    side = float(min(clip_size) * SHARE)
    half = round(side / 4)
    off = (
        side / 2 + min(size[1], clip_size[1]) / 2
    ) / 2  # between the edges of the square and of the clip
    rows = (size[1] / 2 - off, size[1] / 2 + off)
    middle = size[0] // 2
    values = [
        value
        for row in rows
        for value in frame_[int(row) * size[0] + middle - half : int(row) * size[0] + middle + half]
    ]
    return sum(values) / len(values)


def assert_video(
    path: Path,
    scenes: Sequence[Scene],
    *,
    size: tuple[int, int],
    rate: Fraction,
    millisecond_stamps: bool = False,
) -> None:
    """Assert that the video has the expected frames, timestamps and audio."""
    frames = decode(path, size)
    starts: list[int] = []
    end = 0
    for scene in scenes:
        starts.append(end - scene.overlap)
        end = starts[-1] + scene.frames
    assert len(frames) == end, f"{len(frames)} frames instead of {end}"
    for scene, start, frames_without_overlap in zip(
        scenes, starts, _without_overlap(scenes), strict=True
    ):
        for index in frames_without_overlap:
            code = read_code(frames[start + index], size, scene.clip_size)
            where = f"frame {start + index} (scene {scene.number}, {index})"
            assert code is not None, f"{where} has no readable code in its position"
            assert code[0] == scene.number, f"{where} is of scene {code[0]}"
            level = brightness(frames[start + index], size, scene.clip_size)
            assert abs(level - DISPLAYED_GREY) <= GREY_LEVELS, f"{where} is {level:.1f} bright"
            difference = abs(code[1] - scene.numbers[index])
            assert difference <= scene.slack, (
                f"{where} is number {code[1]}, not {scene.numbers[index]}"
            )
    _assert_stamps(
        presentation_times(path),
        end,
        rate,
        Fraction(1, 1000) if millisecond_stamps else Fraction(0),
    )
    if any(scene.audible for scene in scenes):
        _assert_audio(samples(path), scenes, starts, rate, end)


def _without_overlap(scenes: Sequence[Scene]) -> list[range]:
    """Return for each scene the range of its frames without overlap."""
    after = [scene.overlap for scene in scenes[1:]] + [0]
    return [
        range(scene.overlap, scene.frames - overlap)
        for scene, overlap in zip(scenes, after, strict=True)
    ]


def _assert_stamps(
    presentation_times: list[Fraction], count: int, rate: Fraction, slack: Fraction
) -> None:
    for number, stamp in enumerate(presentation_times):
        assert abs(stamp - number / rate) <= slack, f"frame {number} is shown at {float(stamp)} s"
    assert len(presentation_times) == count


def _assert_audio(
    audio: Sequence[int],
    scenes: Sequence[Scene],
    starts: Sequence[int],
    rate: Fraction,
    frames: int,
) -> None:
    length = len(audio) / HERTZ
    assert abs(length - float(frames / rate)) <= SYNC_SECONDS, f"{length:.3f} s of sound"
    for scene, start, frames_without_overlap in zip(
        scenes, starts, _without_overlap(scenes), strict=True
    ):
        if not scene.audible:
            continue
        begin, end = (
            float((start + index) / rate)
            for index in (frames_without_overlap.start, frames_without_overlap.stop)
        )
        last = end - SYNC_SECONDS - _WINDOW
        for moment in (begin + SYNC_SECONDS, (begin + SYNC_SECONDS + last) / 2, last):
            share = tone(audio, moment, pitch(scene.number))
            assert share > 0.8, (
                f"scene {scene.number} is not audible at {moment:.3f} s ({share:.2f})"
            )


def tone(audio: Sequence[int], seconds: float, hertz: int) -> float:
    """Return the share of a tone in a short window of the audio, from 0 to 1."""
    start, count = round(seconds * HERTZ), round(_WINDOW * HERTZ)
    part = audio[start : start + count]
    power = sum(value * value for value in part) / max(1, len(part))
    if power < 100:
        return 0.0
    # A Hann window, so that the edges of the window do not count as other sound.
    weights = [0.5 - 0.5 * math.cos(2 * math.pi * index / count) for index in range(count)]
    turn = cmath.exp(-2j * math.pi * hertz / HERTZ)
    total, phase = 0j, 1 + 0j
    for value, weight in zip(part, weights, strict=False):
        total += value * weight * phase
        phase *= turn
    tone_power = 2 * (abs(total) / (sum(weights))) ** 2
    return tone_power / power


def max_discontinuity(audio: Sequence[int], seconds: float, around: float = 0.03) -> int:
    """Return the greatest second difference of samples around a moment, which detects clicks."""
    start, end = round((seconds - around) * HERTZ), round((seconds + around) * HERTZ)
    part = audio[max(0, start) : end]
    return max(abs(a - 2 * b + c) for a, b, c in zip(part, part[1:], part[2:], strict=False))
