"""AAC packets by themselves: their windows, and the frame (ADTS) in which a decoder takes them.

A packet covers two blocks of 1,024 sound samples, and every block is the sum of two packets, each
faded by a window. The two fades of a block must be of one kind, long or short, to cancel out what
the transform adds (ISO/IEC 14496-3, 4.6.11).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from common.media.mp4.boxes import NotConcatenable

HEAD_BYTES = 7
_LOW_COMPLEXITY = 2
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_START, _SHORT, _STOP = 1, 2, 3
_SINGLE, _PAIR, _LOW, _END = 0, 1, 3, 7
# What stands in a packet, by the channels (ISO/IEC 14496-3, table 1.19).
_ELEMENTS = {
    1: (_SINGLE,),
    2: (_PAIR,),
    3: (_SINGLE, _PAIR),
    4: (_SINGLE, _PAIR, _SINGLE),
    5: (_SINGLE, _PAIR, _PAIR),
    6: (_SINGLE, _PAIR, _PAIR, _LOW),
    7: (_SINGLE, _PAIR, _PAIR, _PAIR, _LOW),
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What the frames' heads say: the rate by its number, and the channels."""

    rate: int
    channels: int

    @classmethod
    def of(cls, config: bytes) -> "Setup":
        """Read an AudioSpecificConfig; raises Unreadable for all but plain AAC-LC."""
        bits = int.from_bytes(config[:2], "big")
        setup = cls(bits >> 7 & 15, bits >> 3 & 15)
        if len(config) < 2 or bits >> 11 != _LOW_COMPLEXITY or bits & 7:
            raise NotConcatenable("has sound other than plain AAC-LC")
        if setup.rate >= len(_RATES) or not 1 <= setup.channels <= 7:
            raise NotConcatenable("has sound of an unusual rate or channels")
        return setup

    @property
    def hertz(self) -> int:
        """Sound samples a second."""
        return _RATES[self.rate]

    @property
    def silence(self) -> bytes:
        """A packet in which nothing is heard: no channel has a band of it."""
        bits = []
        elements = _ELEMENTS[self.channels]
        for place, element in enumerate(elements):
            number = elements[:place].count(element)
            window = f"{0:011b}"  # a long one, no bands, no prediction
            gain, tools = f"{0:08b}", f"{0:03b}"  # no pulses, noise shaping, gain control
            bits.append(f"{element:03b}{number:04b}")
            if element == _PAIR:  # one window for both, and nothing else in common
                bits.append(f"1{window}00" + 2 * (gain + tools))
            else:
                bits.append(gain + window + tools)
        packed = "".join([*bits, f"{_END:03b}"])
        size = -(-len(packed) // 8)
        return int(packed.ljust(8 * size, "0"), 2).to_bytes(size, "big")

    def frame(self, packet: bytes) -> bytes:
        """Return the packet with a head."""
        size = len(packet) + HEAD_BYTES
        head = (
            0xFFF1 << 40
            | (_LOW_COMPLEXITY - 1) << 38
            | self.rate << 34
            | self.channels << 30
            | size << 13
            | 0x7FF << 2
        )
        return head.to_bytes(HEAD_BYTES, "big") + packet


def frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the place and size of each packet among frames without checksums."""
    place = 0
    while place + HEAD_BYTES <= len(data):
        head = int.from_bytes(data[place : place + HEAD_BYTES], "big")
        size = head >> 13 & 0x1FFF
        if head >> 40 != 0xFFF1 or size <= HEAD_BYTES or place + size > len(data):
            raise NotConcatenable("has sound that was encoded unusually")
        yield place + HEAD_BYTES, size - HEAD_BYTES
        place += size


@dataclass(frozen=True, slots=True)
class Window:
    """How a packet fades: in its first block, and in its second one."""

    starts_short: bool
    ends_short: bool


def window(packet: bytes) -> Window | None:
    """Return the window of the packet's first channels, or None if it does not begin with them."""
    bits = int.from_bytes(packet[:4].ljust(4, b"\0"), "big")
    element = bits >> 29
    if element == _SINGLE:
        sequence = bits >> (32 - 18) & 3
    elif element == _PAIR and bits >> 24 & 1:
        sequence = bits >> (32 - 11) & 3
    elif element == _PAIR:
        sequence = bits >> (32 - 19) & 3
    else:
        return None
    return Window(sequence in (_SHORT, _STOP), sequence in (_START, _SHORT))
