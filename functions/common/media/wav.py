"""Sound in memory: one channel of 16-bit samples, and the WAV files that it comes and goes in.

Touches nothing outside.
"""

import io
import struct
import wave
from dataclasses import dataclass, field

from common.domain.errors import MediaError

_BYTES = 2
# Whoever writes a WAV before its length is known puts one of these in place of it.
_UNKNOWN_LENGTH = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0})


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """One channel. `samples` are signed 16-bit numbers, low byte first, `rate` of them a second."""

    rate: int
    samples: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / _BYTES / self.rate

    def as_wav(self) -> bytes:
        """Return the bytes of a WAV file."""
        target = io.BytesIO()
        with wave.open(target, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(_BYTES)
            file.setframerate(self.rate)
            file.writeframes(self.samples)
        return target.getvalue()


def read_wav(data: bytes) -> PcmAudio:
    """Return what a WAV file of one channel and 16 bits holds; raises MediaError.

    By hand, because the library takes a file that was streamed, and so says no length, for an
    empty or a broken one.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise MediaError("The sound is not a WAV file.")
    rate, place = 0, 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8
        if name == b"fmt ":
            rate = _rate(data[place : place + 16])
        elif name == b"data":
            if not rate:
                break
            return PcmAudio(rate, _samples(data[place:], size))
        place += size + size % 2
    raise MediaError("The WAV file holds no sound.")


def _rate(header: bytes) -> int:
    if len(header) < 16:
        raise MediaError("The WAV file is cut off.")
    form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", header)
    if (form, channels, bits) != (1, 1, 8 * _BYTES) or not 8_000 <= rate <= 48_000:
        raise MediaError("The WAV file does not hold one channel of 16-bit samples.")
    return int(rate)


def _samples(rest: bytes, size: int) -> bytes:
    if size in _UNKNOWN_LENGTH:
        return rest[: len(rest) // _BYTES * _BYTES]
    if size > len(rest) or size % _BYTES:
        raise MediaError("The WAV file is cut off.")
    return rest[:size]
