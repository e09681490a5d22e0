"""AAC packets to samples and back, by ffmpeg, through files in the scratch folder."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from common import ffmpeg
from common.mp4 import aac
from common.mp4.boxes import Unreadable
from common.mp4.movie import AAC_SAMPLES
from common.mp4.sound import Packet

Pcm = Sequence[int]
"""Samples of 16 bits; those of all channels stand side by side."""

_SECONDS = 300
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.1"}
_SILENT_BLOCKS = 6


class Coder:
    """Decodes and encodes one kind of sound. It keeps files open until it is closed."""

    def __init__(self, setup: aac.Setup, scratch: Path) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self.channels = 8 if setup.channels == 7 else setup.channels
        self.block = AAC_SAMPLES * self.channels
        self._setup = setup
        self._scratch = scratch
        self._silence: Packet | None = None

    def decode(self, packets: Iterable[Packet], name: str) -> Pcm:
        """Return the samples of the packets, one block for each."""
        source, target = self._scratch / f"{name}.aac", self._scratch / f"{name}.pcm"
        wanted = 0
        with source.open("wb") as file:
            for packet in packets:
                file.write(self._setup.frame(self.read(packet)))
                wanted += self.block
        ffmpeg.run(
            ["-f", "aac", "-i", str(source), "-f", "s16le", "-y", str(target)], timeout=_SECONDS
        )
        samples = array("h", target.read_bytes())
        if len(samples) != wanted:
            raise Unreadable("has sound that decodes to another length than it says")
        return _native(samples)

    def encode(self, samples: Pcm, bits: int, name: str) -> Sequence[Packet]:
        """Return the packets of the samples at `bits` a second; the first is the encoder's priming.

        Packet n + 1 covers the blocks n and n + 1.
        """
        source = self._scratch / f"{name}.pcm"
        source.write_bytes(_native(array("h", samples)).tobytes())
        packets = self.encode_file(source, bits, self._scratch / f"{name}.aac")
        if (len(packets) - 1) * self.block < len(samples):
            raise Unreadable("has sound that cannot be encoded")
        return packets

    def encode_file(self, source: Path, bits: int, target: Path) -> Sequence[Packet]:
        """Encode a file of little-endian samples."""
        form = ("-f", "s16le", "-ar", str(self._setup.hertz), "-channel_layout")
        ffmpeg.run(
            [
                *(*form, _LAYOUTS[self._setup.channels], "-i", str(source)),
                *("-c:a", "aac", "-b:a", str(bits), "-f", "adts", "-y", str(target)),
            ],
            timeout=_SECONDS,
        )
        return [Packet(target, offset, size) for offset, size in aac.frames(target.read_bytes())]

    def read(self, packet: Packet) -> bytes:
        """Return the packet's bytes."""
        file = self._files.get(packet.path)
        if file is None:
            file = self._files[packet.path] = packet.path.open("rb")
        file.seek(packet.offset)
        return file.read(packet.size)

    def close(self) -> None:
        """Close the files that packets were read from."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def silence(self) -> Packet:
        """Return a packet of silence, whose neighbours are silent too."""
        if self._silence is None:
            silent = array("h", bytes(2 * self.block * _SILENT_BLOCKS))
            self._silence = self.encode(silent, 64_000, "silence")[_SILENT_BLOCKS // 2]
        return self._silence


def _native(samples: "array[int]") -> "array[int]":
    """Turn little-endian samples into this machine's, or back."""
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
