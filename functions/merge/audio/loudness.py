"""One loudness for every finished video: -14 LUFS, as platforms play it, with peaks below -1 dBTP.

The whole mix is measured (ITU-R BS.1770, EBU R 128) and made louder or quieter by one gain, so
that nothing in it changes against anything else. Where its peaks would be too high then, a limiter
holds them. Sound that is nearly silent stays as it is, and quiet sound is raised by a bounded gain:
what is left of it would be noise.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.media import ffmpeg

TARGET_LUFS, CEILING_DBTP = -14.0, -1.0
RATE = 48_000
_HEADROOM_DB = 1.0  # encoding moves peaks by up to so much
_TOLERANCE_LU, _MISSED_LU = 0.5, 1.0
SILENT_LUFS, _NOTHING_LUFS = -50.0, -70.0
_MOST_GAIN_DB, _MOST_LIMITED_DB = 20.0, 10.0
_LIMITER_PASSES = 3
_BYTES = 4  # of a stereo sample
_SECONDS = 300
_INTEGRATED = re.compile(r"lavfi\.r128\.I=(-?[\d.]+)")
_PEAK = re.compile(r"lavfi\.r128\.true_peaks_ch\d+=([\d.]+)")
# Peaks between two samples are found at four times the rate.
_LIMITER = (
    f"aresample={4 * RATE},alimiter=limit={{limit:.4f}}:attack=5:release=60:level=false:"
    f"latency=true,aresample={RATE}"
)


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS (-70 for silence), and the true peak in dBTP."""

    integrated: float
    peak: float

    @property
    def gain(self) -> float:
        """The gain in dB that brings it to the target, as far as the bounds above allow."""
        if self.integrated < SILENT_LUFS:
            return 0.0
        most = CEILING_DBTP - _HEADROOM_DB + _MOST_LIMITED_DB - self.peak
        return min(TARGET_LUFS - self.integrated, _MOST_GAIN_DB, max(most, 0.0))

    @property
    def is_right(self) -> bool:
        """Whether it can stay as it is."""
        return abs(self.gain) <= _TOLERANCE_LU and self.peak <= CEILING_DBTP

    @property
    def warning(self) -> str | None:
        """What the owner of the video is told, if the target is missed."""
        if self.integrated <= _NOTHING_LUFS or self.integrated > TARGET_LUFS - _MISSED_LU:
            return None
        return (
            f"The sound has {self.integrated:.0f} LUFS instead of {TARGET_LUFS:.0f}: it is too "
            "quiet to be raised further without noise or distortion."
        )


def measure(opened: Sequence[str]) -> Loudness:
    """Return the loudness of the first sound stream; `opened` are the arguments that open it."""
    # The padding makes the measurement go on until the last samples are in.
    meter = "apad=pad_dur=0.3,ebur128=peak=true:metadata=1"
    shown = ",".join(
        f"ametadata=mode=print:key=lavfi.r128.{key}:file=-"
        for key in ("I", "true_peaks_ch0", "true_peaks_ch1")
    )
    said = ffmpeg.run(
        [*opened, "-map", "0:a:0", "-af", f"{meter},{shown}", "-f", "null", "-"],
        timeout=_SECONDS,
    )
    integrated = _INTEGRATED.findall(said)
    peak = max(map(float, _PEAK.findall(said)), default=0.0)
    return Loudness(
        float(integrated[-1]) if integrated else _NOTHING_LUFS,
        20 * math.log10(peak) if peak > 0 else _NOTHING_LUFS,
    )


def opened(mixed: Path) -> list[str]:
    """Return the arguments that open a mix: 48 kHz, stereo, 16 bits, little-endian."""
    form = ("-f", "s16le", "-ar", str(RATE), "-channel_layout", "stereo")
    return [*form, "-i", str(mixed)]


def normalize(mixed: Path, found: Loudness, target: Path) -> Loudness:
    """Write a mix at the target loudness into `target`; return what it has now."""
    gain, ceiling = found.gain, CEILING_DBTP - _HEADROOM_DB
    if found.peak + gain <= ceiling:
        _write(mixed, target, gain, "")
        return Loudness(found.integrated + gain, found.peak + gain)
    limiter = _LIMITER.format(limit=10 ** (ceiling / 20))
    is_bounded = gain < TARGET_LUFS - found.integrated
    for _ in range(_LIMITER_PASSES):
        _write(mixed, target, gain, limiter)
        reached = measure(opened(target))
        missing = TARGET_LUFS - reached.integrated
        if is_bounded or missing < _TOLERANCE_LU / 2:
            break
        gain += missing  # what the limiter took away
    return reached


def _write(mixed: Path, target: Path, gain: float, limiter: str) -> None:
    samples = mixed.stat().st_size // _BYTES
    steps = [f"volume={gain:.3f}dB", *([limiter] if limiter else [])]
    steps.append(f"apad,atrim=end_sample={samples}")
    ffmpeg.run(
        [
            *opened(mixed),
            "-af",
            ",".join(steps),
            "-c:a",
            "pcm_s16le",
            "-ac",
            "2",
            "-f",
            "s16le",
            "-y",
            str(target),
        ],
        timeout=_SECONDS,
    )
