"""Judging a finished video by its decoded pictures and sound alone, without the product's eyes."""

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
SHOWN_GREY = round((GREY - BLACK) * 255 / (WHITE - BLACK))  # as a screen shows it: 0 to 255
GREY_LEVELS = 2.5  # what the brightness may be off by
_WINDOW = 0.04  # seconds of sound in which a tone is looked for


@dataclass(frozen=True)
class Scene:
    """What must be seen of one scene, and how its picture lies in the frame.

    `shown` is the size of the whole clip in the frame, before anything is cropped. `numbers` are
    those of the clip's pictures, one for each picture of the result; with another rate they may be
    off by `slack`. `shared` pictures overlap with the scene before, those show two scenes.
    """

    number: int
    numbers: Sequence[float]
    shown: tuple[float, float]
    slack: float = 0.1
    heard: bool = True
    shared: int = 0

    @property
    def frames(self) -> int:
        return len(self.numbers)


def decode(path: Path, size: tuple[int, int]) -> list[bytes]:
    """Every picture, as grey values."""
    command = [FFMPEG, "-v", "error", "-xerror", "-i", str(path), "-map", "0:v"]
    command += ["-fps_mode", "passthrough", "-vf", "format=gray", "-f", "rawvideo", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert not done.stderr, done.stderr.decode()
    step = size[0] * size[1]
    assert len(done.stdout) % step == 0, "the pictures have another size"
    return [done.stdout[at : at + step] for at in range(0, len(done.stdout), step)]


def stamps(path: Path) -> list[Fraction]:
    """When each picture is shown, in seconds, in the order of showing."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough"]
    command += ["-f", "framecrc", "-"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    base = Fraction(next(line for line in text.splitlines() if line.startswith("#tb")).split()[-1])
    return [int(line.split(",")[2]) * base for line in text.splitlines() if line[:1].isdigit()]


def samples(path: Path) -> Sequence[int]:
    """The decoded sound, mono at 48 kHz, as many samples as a decoder gives."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:a", "-ac", "1"]
    command += ["-ar", str(HERTZ), "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, "there is no sound"
    return array("h", done.stdout)


def read(
    picture: bytes, size: tuple[int, int], shown: tuple[float, float]
) -> tuple[int, int] | None:
    """The scene and number that a picture shows, if they lie where they belong."""
    side = float(min(shown) * SHARE)
    border = side / (FIELDS * 2 + 2)
    inner = side - 2 * border
    left, top = size[0] / 2 - inner / 2, size[1] / 2 - inner / 2

    def at(x: float, y: float) -> int:
        return picture[min(size[1] - 1, int(y)) * size[0] + min(size[0] - 1, int(x))]

    middle = (BLACK + WHITE) / 2
    frame = [(left - border / 2, size[1] / 2), (left + inner + border / 2, size[1] / 2)]
    frame += [(size[0] / 2, top - border / 2), (size[0] / 2, top + inner + border / 2)]
    if any(at(x, y) < middle for x, y in frame):
        return None
    # Just outside of the white frame there is grey: a stretched square would reach into it.
    outside = [(left - border * 1.6, size[1] / 2), (left + inner + border * 1.6, size[1] / 2)]
    outside += [(size[0] / 2, top - border * 1.6), (size[0] / 2, top + inner + border * 1.6)]
    if any(abs(at(x, y) - SHOWN_GREY) > 40 for x, y in outside):
        return None
    step = inner / FIELDS
    fields = [
        int(at(left + (column + 0.5) * step, top + (row + 0.5) * step) > middle)
        for row in range(FIELDS)
        for column in range(FIELDS)
    ]
    return read_bits(fields)


def brightness(picture: bytes, size: tuple[int, int], shown: tuple[float, float]) -> float:
    """The mean level of the grey above and below the square, which is the same in every clip."""
    side = float(min(shown) * SHARE)
    half = round(side / 4)
    off = (side / 2 + min(size[1], shown[1]) / 2) / 2  # between the square's edge and the picture's
    rows = (size[1] / 2 - off, size[1] / 2 + off)
    middle = size[0] // 2
    values = [
        value
        for row in rows
        for value in picture[
            int(row) * size[0] + middle - half : int(row) * size[0] + middle + half
        ]
    ]
    return sum(values) / len(values)


def judge(
    path: Path,
    scenes: Sequence[Scene],
    *,
    size: tuple[int, int],
    rate: Fraction,
    millisecond_stamps: bool = False,
) -> None:
    """Hold the video against what must be seen and heard; raises AssertionError that says what."""
    pictures = decode(path, size)
    starts: list[int] = []
    end = 0
    for scene in scenes:
        starts.append(end - scene.shared)
        end = starts[-1] + scene.frames
    assert len(pictures) == end, f"{len(pictures)} pictures instead of {end}"
    for scene, start, alone in zip(scenes, starts, _alone(scenes), strict=True):
        for place in alone:
            found = read(pictures[start + place], size, scene.shown)
            where = f"picture {start + place} (scene {scene.number}, {place})"
            assert found is not None, f"{where} shows no readable code at its place"
            assert found[0] == scene.number, f"{where} is of scene {found[0]}"
            level = brightness(pictures[start + place], size, scene.shown)
            assert abs(level - SHOWN_GREY) <= GREY_LEVELS, f"{where} is {level:.1f} bright"
            off = abs(found[1] - scene.numbers[place])
            assert off <= scene.slack, f"{where} is number {found[1]}, not {scene.numbers[place]}"
    _judge_stamps(stamps(path), end, rate, Fraction(1, 1000) if millisecond_stamps else Fraction(0))
    if any(scene.heard for scene in scenes):
        _judge_sound(samples(path), scenes, starts, rate, end)


def _alone(scenes: Sequence[Scene]) -> list[range]:
    """For each scene, its pictures in which no other scene is seen."""
    after = [scene.shared for scene in scenes[1:]] + [0]
    return [
        range(scene.shared, scene.frames - shared)
        for scene, shared in zip(scenes, after, strict=True)
    ]


def _judge_stamps(found: list[Fraction], count: int, rate: Fraction, slack: Fraction) -> None:
    for number, stamp in enumerate(found):
        assert abs(stamp - number / rate) <= slack, f"picture {number} is shown at {float(stamp)} s"
    assert len(found) == count


def _judge_sound(
    sound: Sequence[int],
    scenes: Sequence[Scene],
    starts: Sequence[int],
    rate: Fraction,
    frames: int,
) -> None:
    length = len(sound) / HERTZ
    assert abs(length - float(frames / rate)) <= SYNC_SECONDS, f"{length:.3f} s of sound"
    for scene, start, alone in zip(scenes, starts, _alone(scenes), strict=True):
        if not scene.heard:
            continue
        begin, end = (float((start + place) / rate) for place in (alone.start, alone.stop))
        last = end - SYNC_SECONDS - _WINDOW
        for moment in (begin + SYNC_SECONDS, (begin + SYNC_SECONDS + last) / 2, last):
            share = tone(sound, moment, pitch(scene.number))
            assert share > 0.8, f"scene {scene.number} is not heard at {moment:.3f} s ({share:.2f})"


def tone(sound: Sequence[int], seconds: float, hertz: int) -> float:
    """How much of the sound in a short window is the tone: 1 is all of it."""
    start, count = round(seconds * HERTZ), round(_WINDOW * HERTZ)
    part = sound[start : start + count]
    power = sum(value * value for value in part) / max(1, len(part))
    if power < 100:
        return 0.0
    # A Hann window, so that the tone's own edges do not count as other sound.
    weights = [0.5 - 0.5 * math.cos(2 * math.pi * place / count) for place in range(count)]
    turn = cmath.exp(-2j * math.pi * hertz / HERTZ)
    total, phase = 0j, 1 + 0j
    for value, weight in zip(part, weights, strict=False):
        total += value * weight * phase
        phase *= turn
    found = 2 * (abs(total) / (sum(weights))) ** 2
    return found / power


def sharpest(sound: Sequence[int], seconds: float, around: float = 0.03) -> int:
    """The greatest sudden change (second difference of samples) around a moment."""
    start, end = round((seconds - around) * HERTZ), round((seconds + around) * HERTZ)
    part = sound[max(0, start) : end]
    return max(abs(a - 2 * b + c) for a, b, c in zip(part, part[1:], part[2:], strict=False))
