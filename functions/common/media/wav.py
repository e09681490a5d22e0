"""Mono 16-bit PCM audio in memory, read from and written to WAV. Performs no I/O."""

import io
import struct
import wave
from dataclasses import dataclass, field

from common.domain.errors import MediaError

_SAMPLE_BYTES = 2
# Written for the size by programs that stream a WAV file before they know its length.
_UNKNOWN_LENGTH = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0})


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """Mono audio. `samples` are signed 16-bit little-endian, `rate` of them per second."""

    rate: int
    samples: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / _SAMPLE_BYTES / self.rate

    def as_wav(self) -> bytes:
        """Return a WAV file."""
        target = io.BytesIO()
        with wave.open(target, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(_SAMPLE_BYTES)
            file.setframerate(self.rate)
            file.writeframes(self.samples)
        return target.getvalue()


def read_wav(data: bytes) -> PcmAudio:
    """Parse a WAV file of one channel and 16 bits; raises MediaError for any other.

    Unlike the standard library's `wave`, accepts files that were streamed and so have no length.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise MediaError("The audio is not a WAV file.")
    rate, offset = 0, 12
    while offset + 8 <= len(data):
        chunk_id, size = (
            data[offset : offset + 4],
            int.from_bytes(data[offset + 4 : offset + 8], "little"),
        )
        offset += 8
        if chunk_id == b"fmt ":
            rate = _parse_format(data[offset : offset + 16])
        elif chunk_id == b"data":
            if not rate:
                break
            return PcmAudio(rate, _data_samples(data[offset:], size))
        offset += size + size % 2
    raise MediaError("The WAV file contains no audio.")


def _parse_format(header: bytes) -> int:
    if len(header) < 16:
        raise MediaError("The WAV file is truncated.")
    format_tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", header)
    if (format_tag, channels, bits) != (1, 1, 8 * _SAMPLE_BYTES) or not 8_000 <= rate <= 48_000:
        raise MediaError("The WAV file is not mono with 16 bits and 8 to 48 kHz.")
    return int(rate)


def _data_samples(data: bytes, size: int) -> bytes:
    if size in _UNKNOWN_LENGTH:
        return data[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES]
    if size > len(data) or size % _SAMPLE_BYTES:
        raise MediaError("The WAV file is truncated.")
    return data[:size]
