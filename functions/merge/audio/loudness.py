"""Normalize loudness to -14 LUFS, as platforms do, with true peaks below -1 dBTP.

The mix is measured as a whole (ITU-R BS.1770, EBU R 128) and one gain is applied, which keeps the
balance within the mix. A limiter is added if the gain would raise peaks above the ceiling. Nearly
silent audio is left unchanged, and the gain is bounded, because more would mainly raise noise.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.media import ffmpeg

TARGET_LUFS, CEILING_DBTP = -14.0, -1.0
RATE = 48_000
_HEADROOM_DB = 1.0  # lossy encoding raises peaks by up to this
_TOLERANCE_LU, _WARNING_LU = 0.5, 1.0
SILENCE_LUFS, _GATE_LUFS = -50.0, -70.0
_MAX_GAIN_DB, _MAX_LIMITING_DB = 20.0, 10.0
_LIMITER_PASSES = 3
_SAMPLE_BYTES = 4  # of a stereo sample
_TIMEOUT_SECONDS = 300
_INTEGRATED = re.compile(r"lavfi\.r128\.I=(-?[\d.]+)")
_PEAK = re.compile(r"lavfi\.r128\.true_peaks_ch\d+=([\d.]+)")
# Oversampling by four finds peaks between samples.
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
        """The gain in dB to reach the target, within the limits of this module."""
        if self.integrated < SILENCE_LUFS:
            return 0.0
        limiter_bound = CEILING_DBTP - _HEADROOM_DB + _MAX_LIMITING_DB - self.peak
        return min(TARGET_LUFS - self.integrated, _MAX_GAIN_DB, max(limiter_bound, 0.0))

    @property
    def is_within_target(self) -> bool:
        """True if no normalization is needed."""
        return abs(self.gain) <= _TOLERANCE_LU and self.peak <= CEILING_DBTP

    @property
    def warning(self) -> str | None:
        """A warning for the owner of the video if the target was missed, or None."""
        if self.integrated <= _GATE_LUFS or self.integrated > TARGET_LUFS - _WARNING_LU:
            return None
        return (
            f"The audio has {self.integrated:.0f} LUFS instead of {TARGET_LUFS:.0f}: it is too "
            "quiet to be amplified further without noise or distortion."
        )


def measure(input_arguments: Sequence[str]) -> Loudness:
    """Measure the loudness of the first audio stream of an ffmpeg input."""
    # Padding flushes the last samples through the measuring window.
    meter = "apad=pad_dur=0.3,ebur128=peak=true:metadata=1"
    printed = ",".join(
        f"ametadata=mode=print:key=lavfi.r128.{key}:file=-"
        for key in ("I", "true_peaks_ch0", "true_peaks_ch1")
    )
    log = ffmpeg.run(
        [*input_arguments, "-map", "0:a:0", "-af", f"{meter},{printed}", "-f", "null", "-"],
        timeout=_TIMEOUT_SECONDS,
    )
    integrated = _INTEGRATED.findall(log)
    peak = max(map(float, _PEAK.findall(log)), default=0.0)
    return Loudness(
        float(integrated[-1]) if integrated else _GATE_LUFS,
        20 * math.log10(peak) if peak > 0 else _GATE_LUFS,
    )


def pcm_input(mix: Path) -> list[str]:
    """Return ffmpeg's input arguments for PCM: 48 kHz, stereo, 16 bits, little-endian."""
    pcm_format = ("-f", "s16le", "-ar", str(RATE), "-channel_layout", "stereo")
    return [*pcm_format, "-i", str(mix)]


def normalize(mix: Path, measured: Loudness, target: Path) -> Loudness:
    """Write the mix at the target loudness to `target`; return the loudness reached."""
    gain, ceiling = measured.gain, CEILING_DBTP - _HEADROOM_DB
    if measured.peak + gain <= ceiling:
        _write(mix, target, gain, "")
        return Loudness(measured.integrated + gain, measured.peak + gain)
    limiter = _LIMITER.format(limit=10 ** (ceiling / 20))
    is_bounded = gain < TARGET_LUFS - measured.integrated
    for _ in range(_LIMITER_PASSES):
        _write(mix, target, gain, limiter)
        reached = measure(pcm_input(target))
        shortfall = TARGET_LUFS - reached.integrated
        if is_bounded or shortfall < _TOLERANCE_LU / 2:
            break
        gain += shortfall  # loudness that the limiter removed
    return reached


def _write(mix: Path, target: Path, gain: float, limiter: str) -> None:
    samples = mix.stat().st_size // _SAMPLE_BYTES
    filters = [f"volume={gain:.3f}dB", *([limiter] if limiter else [])]
    filters.append(f"apad,atrim=end_sample={samples}")
    ffmpeg.run(
        [
            *pcm_input(mix),
            "-af",
            ",".join(filters),
            "-c:a",
            "pcm_s16le",
            "-ac",
            "2",
            "-f",
            "s16le",
            "-y",
            str(target),
        ],
        timeout=_TIMEOUT_SECONDS,
    )
