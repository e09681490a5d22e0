"""AAC packets: their windows, and the ADTS frames in which a decoder takes them.

A packet covers two blocks of 1,024 audio samples. Consecutive packets overlap, so every block is
the sum of two packets, each faded by a window. Both fades of a block must have the same shape, long
or short, to cancel the aliasing of the transform (ISO/IEC 14496-3, 4.6.11).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from common.media.mp4.boxes import NotConcatenable

ADTS_HEADER_BYTES = 7
_LOW_COMPLEXITY = 2
_SAMPLE_RATES = (
    96000,
    88200,
    64000,
    48000,
    44100,
    32000,
    24000,
    22050,
    16000,
    12000,
    11025,
    8000,
    7350,
)
_LONG_START, _EIGHT_SHORT, _LONG_STOP = 1, 2, 3
_SCE, _CPE, _LFE, _END_OF_PACKET = 0, 1, 3, 7
# Syntactic elements of a packet, by channel configuration (ISO/IEC 14496-3, table 1.19).
_ELEMENTS = {
    1: (_SCE,),
    2: (_CPE,),
    3: (_SCE, _CPE),
    4: (_SCE, _CPE, _SCE),
    5: (_SCE, _CPE, _CPE),
    6: (_SCE, _CPE, _CPE, _LFE),
    7: (_SCE, _CPE, _CPE, _CPE, _LFE),
}


@dataclass(frozen=True, slots=True)
class AdtsHeader:
    """Fields of an ADTS header: sampling frequency index and channel configuration."""

    frequency_index: int
    channels: int

    @classmethod
    def of(cls, config: bytes) -> "AdtsHeader":
        """Parse an AudioSpecificConfig; raises NotConcatenable for anything but plain AAC-LC."""
        bits = int.from_bytes(config[:2], "big")
        header = cls(bits >> 7 & 15, bits >> 3 & 15)
        if len(config) < 2 or bits >> 11 != _LOW_COMPLEXITY or bits & 7:
            raise NotConcatenable("has audio other than plain AAC-LC")
        if header.frequency_index >= len(_SAMPLE_RATES) or not 1 <= header.channels <= 7:
            raise NotConcatenable("has audio with an unsupported sample rate or channel layout")
        return header

    @property
    def sample_rate(self) -> int:
        """Audio samples per second."""
        return _SAMPLE_RATES[self.frequency_index]

    @property
    def silence(self) -> bytes:
        """A silent packet: no channel has any scale factor bands."""
        bits = []
        elements = _ELEMENTS[self.channels]
        for index, element in enumerate(elements):
            tag = elements[:index].count(element)
            window = f"{0:011b}"  # long window, no bands, no prediction
            gain, tools = f"{0:08b}", f"{0:03b}"  # no pulse data, TNS, gain control
            bits.append(f"{element:03b}{tag:04b}")
            if element == _CPE:  # a common window, no mid/side stereo
                bits.append(f"1{window}00" + 2 * (gain + tools))
            else:
                bits.append(gain + window + tools)
        packet = "".join([*bits, f"{_END_OF_PACKET:03b}"])
        size = -(-len(packet) // 8)
        return int(packet.ljust(8 * size, "0"), 2).to_bytes(size, "big")

    def adts_frame(self, packet: bytes) -> bytes:
        """Return the packet with an ADTS header."""
        size = len(packet) + ADTS_HEADER_BYTES
        header = (
            0xFFF1 << 40
            | (_LOW_COMPLEXITY - 1) << 38
            | self.frequency_index << 34
            | self.channels << 30
            | size << 13
            | 0x7FF << 2
        )
        return header.to_bytes(ADTS_HEADER_BYTES, "big") + packet


def adts_packets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and size of each packet in ADTS frames without checksums.

    Raises NotConcatenable for anything else.
    """
    offset = 0
    while offset + ADTS_HEADER_BYTES <= len(data):
        header = int.from_bytes(data[offset : offset + ADTS_HEADER_BYTES], "big")
        size = header >> 13 & 0x1FFF
        if header >> 40 != 0xFFF1 or size <= ADTS_HEADER_BYTES or offset + size > len(data):
            raise NotConcatenable("has audio that is not in plain ADTS frames")
        yield offset + ADTS_HEADER_BYTES, size - ADTS_HEADER_BYTES
        offset += size


@dataclass(frozen=True, slots=True)
class Window:
    """The window shape of a packet: of the fade in its first block, and in its second one."""

    starts_short: bool
    ends_short: bool


def window(packet: bytes) -> Window | None:
    """Return the window of a packet's first element, or None if that is no channel element."""
    bits = int.from_bytes(packet[:4].ljust(4, b"\0"), "big")
    element = bits >> 29
    if element == _SCE:
        sequence = bits >> (32 - 18) & 3
    elif element == _CPE and bits >> 24 & 1:
        sequence = bits >> (32 - 11) & 3
    elif element == _CPE:
        sequence = bits >> (32 - 19) & 3
    else:
        return None
    return Window(sequence in (_EIGHT_SHORT, _LONG_STOP), sequence in (_LONG_START, _EIGHT_SHORT))
