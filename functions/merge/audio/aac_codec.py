"""Decode and encode AAC packets with ffmpeg, through files in the scratch folder."""

import os
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from common.media import ffmpeg
from common.media.mp4 import aac
from common.media.mp4.audio_track import Packet
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import AAC_SAMPLES

Pcm = Sequence[int]
"""Interleaved 16-bit samples of all channels."""

_TIMEOUT_SECONDS = 300
_CHANNEL_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.1"}
# Half the time of the default coder, of which ffmpeg's commit log says that "at higher bitrates it
# sounds worse than the fast coder" (fcb681ac3e). Measured at 96,000 bit/s and more: the error of
# tones is 13 to 43 dB lower; that of noise, where neither coder is accurate, within 3 dB.
_AAC_ENCODER = ("-c:a", "aac", "-aac_coder", "fast")


class AacCodec:
    """A thread-safe AAC decoder and encoder for one format. Keeps files open until `close`."""

    def __init__(self, config: aac.AdtsHeader, scratch: Path) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self._files_lock = Lock()
        self.channels = 8 if config.channels == 7 else config.channels
        self.block = AAC_SAMPLES * self.channels
        self._config = config
        self._scratch = scratch
        self._silent_packet: Packet | None = None

    @property
    def sample_rate(self) -> int:
        """Audio samples per second."""
        return self._config.sample_rate

    @property
    def channel_layout(self) -> str:
        """ffmpeg's name of the channel layout."""
        return _CHANNEL_LAYOUTS[self._config.channels]

    def decode(self, packets: Iterable[Packet], name: str) -> Pcm:
        """Decode packets to samples, one block per packet."""
        target = self._scratch / f"{name}.pcm"
        count = self.decode_file(packets, target)
        samples = array("h", target.read_bytes())
        if len(samples) != count * self.block:
            raise NotConcatenable("has audio whose decoded length differs from its index")
        return to_native_order(samples)

    def decode_file(self, packets: Iterable[Packet], target: Path, filters: str = "anull") -> int:
        """Decode packets, apply filters, and write 16-bit little-endian samples to `target`.

        Return the number of packets.
        """
        source, count = target.with_suffix(".aac"), 0
        with source.open("wb") as file:
            for packet in packets:
                file.write(self._config.adts_frame(self.read(packet)))
                count += 1
        ffmpeg.run(
            ["-f", "aac", "-i", str(source), "-af", filters, "-f", "s16le", "-y", str(target)],
            timeout=_TIMEOUT_SECONDS,
        )
        source.unlink()
        return count

    def encode(self, samples: Pcm, bit_rate: int, name: str) -> Sequence[Packet]:
        """Encode samples at `bit_rate` bits per second. The first packet is the encoder's priming.

        Packet n + 1 covers the blocks n and n + 1.
        """
        source = self._scratch / f"{name}.pcm"
        source.write_bytes(to_native_order(array("h", samples)).tobytes())
        packets = self.encode_file(source, bit_rate, self._scratch / f"{name}.aac")
        if (len(packets) - 1) * self.block < len(samples):
            raise NotConcatenable("has audio that cannot be encoded")
        return packets

    def encode_file(self, source: Path, bit_rate: int, target: Path) -> Sequence[Packet]:
        """Encode a file of 16-bit little-endian samples."""
        pcm_format = ("-f", "s16le", "-ar", str(self._config.sample_rate), "-channel_layout")
        ffmpeg.run(
            [
                *(*pcm_format, _CHANNEL_LAYOUTS[self._config.channels], "-i", str(source)),
                *(*_AAC_ENCODER, "-b:a", str(bit_rate), "-f", "adts", "-y", str(target)),
            ],
            timeout=_TIMEOUT_SECONDS,
        )
        packets = aac.adts_packets(target.read_bytes())
        return [Packet(target, offset, size) for offset, size in packets]

    def read(self, packet: Packet) -> bytes:
        """Read the bytes of a packet."""
        with self._files_lock:
            file = self._files.get(packet.path)
            if file is None:
                file = self._files[packet.path] = packet.path.open("rb")
        return os.pread(file.fileno(), packet.size, packet.offset)

    def close(self) -> None:
        """Close all files that packets were read from."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def silence(self) -> Packet:
        """Return a silent packet."""
        if self._silent_packet is None:
            path, packet = self._scratch / "silence.aac", self._config.silence
            path.write_bytes(packet)
            self._silent_packet = Packet(path, 0, len(packet))
        return self._silent_packet


def to_native_order(samples: "array[int]") -> "array[int]":
    """Convert samples between little-endian and native byte order."""
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
