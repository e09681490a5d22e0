"""Sample entries: what a decoder must know before the first sample of a track.

Two tracks can be one if their entries say the same. For H.264 it is enough that their parameter
sets have different numbers, or are equal: then one entry can carry the sets of both, as ISO/IEC
14496-15, 5.3.3, foresees, and every player finds for each picture the set that it names.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from common.media.mp4 import boxes
from common.media.mp4.boxes import NotConcatenable

_VISUAL_BYTES, _AUDIO_BYTES = 78, 28
# Bit rates are advice, and differ between clips that a decoder cannot tell apart. Square pixels are
# square whether a box says so or none does.
_ADVICE = {b"btrt"}
_SPS, _PPS = 7, 8
_PROFILES = {66, 77, 100}  # Baseline, Main, High
_LONG_SETS = {100, 110, 122, 144}  # profiles whose record goes on after the sets


@dataclass(frozen=True, slots=True)
class VideoSampleEntry:
    """The entry of a picture track. `codec` is its name, such as b"avc1".

    `setup` is the decoder set-up: for H.264 it is None, and `avc` has it taken apart.
    """

    codec: bytes
    width: int
    height: int
    extras: tuple[bytes, ...]  # boxes beside the set-up: pixel shape, colour
    setup: bytes | None
    avc: "Avc | None"

    @property
    def pixel_aspect(self) -> Fraction:
        """The shape of a pixel, width to height."""
        for extra in self.extras:
            if extra[4:8] == b"pasp" and len(extra) == 16:
                width, height = struct.unpack_from(">II", extra, 8)
                return Fraction(width, height) if width and height else Fraction(1)
        return Fraction(1)

    def look(self) -> tuple[object, ...]:
        """Return all that must agree between clips, apart from H.264's parameter sets."""
        return (self.codec, self.width, self.height, self.extras, self.setup, self.avc is None)

    def pack(self) -> bytes:
        """Return the entry as a box."""
        fields = struct.pack(
            ">6xH16xHHIIIH32xHh",
            *(1, self.width, self.height, 0x480000, 0x480000, 0, 1, 24, -1),
        )
        setup = self.setup if self.avc is None else boxes.make(b"avcC", self.avc.pack())
        return boxes.make(self.codec, fields, setup or b"", *self.extras)


@dataclass(frozen=True, slots=True)
class Avc:
    """H.264's decoder set-up (AVCDecoderConfigurationRecord)."""

    profile: int
    compatibility: int
    level: int
    length_bytes: int  # of the number before each NAL unit
    sets: tuple[bytes, ...]  # sequence parameter sets, then picture parameter sets
    tail: bytes  # chroma format and bit depths, in the higher profiles

    @property
    def sequences(self) -> tuple[bytes, ...]:
        """The sequence parameter sets."""
        return tuple(unit for unit in self.sets if unit[0] & 31 == _SPS)

    @property
    def pictures(self) -> tuple[bytes, ...]:
        """The picture parameter sets."""
        return tuple(unit for unit in self.sets if unit[0] & 31 == _PPS)

    @property
    def free_number(self) -> int | None:
        """A number that no parameter set has, if there is one."""
        taken = {_number(unit) for unit in self.sets}
        return next((number for number in range(31) if number not in taken), None)

    @property
    def can_be_matched(self) -> bool:
        """Whether further clips can be encoded such that they fit: usual profiles, 4:2:0, 8 bit."""
        return (
            self.profile in _PROFILES
            and all(_is_plain(unit) for unit in self.sequences)
            and self.free_number is not None
        )

    def joined(self, other: "Avc") -> "Avc | None":
        """Return one set-up for both, or None where a number means two different sets.

        Of two usual profiles the higher one takes in the lower one.
        """
        alike = self.profile == other.profile and self.tail == other.tail
        usual = self.profile in _PROFILES and other.profile in _PROFILES
        if self.length_bytes != other.length_bytes or not (alike or usual):
            return None
        known = {(unit[0] & 31, _number(unit)): unit for unit in self.sets}
        for unit in other.sets:
            if known.setdefault((unit[0] & 31, _number(unit)), unit) != unit:
                return None
        ordered = sorted(known.items())  # sequence sets (7) come before picture sets (8)
        higher = max(self, other, key=lambda avc: avc.profile)
        return replace(
            higher,
            compatibility=self.compatibility & other.compatibility,
            level=max(self.level, other.level),
            sets=tuple(unit for _, unit in ordered),
        )

    def pack(self) -> bytes:
        """Return the body of `avcC`."""
        head = struct.pack(
            ">BBBBB", 1, self.profile, self.compatibility, self.level, 0xFC | self.length_bytes - 1
        )
        first, second = self.sequences, self.pictures
        return b"".join(
            (
                head,
                bytes((0xE0 | len(first),)),
                *_sized(first),
                bytes((len(second),)),
                *_sized(second),
                self.tail,
            )
        )

    @classmethod
    def read(cls, body: bytes) -> "Avc":
        """Take the body of `avcC` apart; raises Unreadable."""
        try:
            _, profile, compatibility, level, length = struct.unpack_from(">BBBBB", body)
            place, sets = 5, list[bytes]()
            for mask in (31, 255):
                count, place = body[place] & mask, place + 1
                for _ in range(count):
                    size = int.from_bytes(body[place : place + 2], "big")
                    sets.append(body[place + 2 : place + 2 + size])
                    place += 2 + size
            kinds = [unit[0] & 31 for unit in sets]
            if place > len(body) or kinds != sorted(kinds) or {*kinds} != {_SPS, _PPS}:
                raise NotConcatenable("has no usable H.264 parameter sets")
            tail = body[place:] if profile in _LONG_SETS else b""
            record = cls(profile, compatibility, level, (length & 3) + 1, tuple(sets), tail)
            for unit in sets:
                _number(unit)
        except (struct.error, IndexError):
            raise NotConcatenable("has no usable H.264 parameter sets") from None
        return record


@dataclass(frozen=True, slots=True)
class AudioSampleEntry:
    """The entry of a sound track with AAC. `config` is its AudioSpecificConfig."""

    config: bytes
    rate: int
    channels: int
    packed: bytes


def visual(data: bytes) -> VideoSampleEntry:
    """Read the one entry of a picture track's `stsd`; raises Unreadable."""
    entry = _only(data)
    if entry.end - entry.start < _VISUAL_BYTES:
        raise NotConcatenable("has a sample entry that is too short")
    width, height = struct.unpack_from(">HH", data, entry.start + 24)
    setup, avc, extras = None, None, []
    for child in boxes.children(data, entry.start + _VISUAL_BYTES, entry.end):
        body = data[child.start : child.end]
        if child.name == b"avcC":
            avc = Avc.read(body)
        elif child.name in {b"hvcC", b"vpcC", b"av1C", b"esds"}:
            setup = boxes.make(child.name, body)
        elif child.name not in _ADVICE and not (child.name == b"pasp" and body[:4] == body[4:]):
            extras.append(boxes.make(child.name, body))
    if (entry.name == b"avc1") != (avc is not None) or (avc is None and setup is None):
        raise NotConcatenable("has no decoder set-up in its sample entry")
    return VideoSampleEntry(entry.name, width, height, tuple(sorted(extras)), setup, avc)


def sound(data: bytes) -> AudioSampleEntry:
    """Read the one entry of a sound track's `stsd`; raises Unreadable unless it is plain AAC."""
    entry = _only(data)
    if entry.name != b"mp4a" or entry.end - entry.start < _AUDIO_BYTES:
        raise NotConcatenable("has sound other than AAC")
    version, channels = struct.unpack_from(">H6xH", data, entry.start + 8)
    rate = int.from_bytes(data[entry.start + 24 : entry.start + 26], "big")
    if version:
        raise NotConcatenable("has a QuickTime sound entry")
    box = boxes.one(data, b"esds", boxes.Box(b"", entry.start + _AUDIO_BYTES, entry.end))
    esds = data[box.start : box.end]
    config = _audio_config(esds[4:])
    fields = data[entry.start : entry.start + _AUDIO_BYTES]
    return AudioSampleEntry(
        config, rate, channels, boxes.make(b"mp4a", fields, boxes.make(b"esds", esds))
    )


def sound_of(config: bytes, rate: int, channels: int) -> AudioSampleEntry:
    """Return the entry of sound that was encoded here."""
    fields = struct.pack(">6xH8xHHIHH", 1, channels, 16, 0, rate, 0)
    decoder = bytes((0x40, 0x15)) + bytes(3 + 4 + 4) + _descriptor(5, config)
    stream = struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    esds = boxes.full(b"esds", 0, 0, _descriptor(3, stream))
    return AudioSampleEntry(config, rate, channels, boxes.make(b"mp4a", fields, esds))


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body


def _only(data: bytes) -> boxes.Box:
    entries = list(boxes.children(data, 8))
    if len(entries) != 1 or int.from_bytes(data[4:8], "big") != 1:
        raise NotConcatenable(f"has {len(entries)} sample entries in a track")
    return entries[0]


def _sized(units: Iterable[bytes]) -> list[bytes]:
    return [struct.pack(">H", len(unit)) + unit for unit in units]


class _Bits:
    """Reads the bits of a parameter set, whose numbers are Exp-Golomb codes."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data[:32].ljust(32, b"\0"), "big")
        self._left = 256

    def number(self) -> int:
        zeros = 0
        while not self._take(1):
            zeros += 1
            if zeros > 16:
                raise NotConcatenable("has a parameter set that cannot be read")
        return (1 << zeros) - 1 + self._take(zeros)

    def _take(self, count: int) -> int:
        self._left -= count
        return self._bits >> self._left & (1 << count) - 1


def _number(unit: bytes) -> int:
    """Return the number of a parameter set; in a sequence set it follows three more bytes."""
    return _Bits(unit[4:] if unit[0] & 31 == _SPS else unit[1:]).number()


def _is_plain(unit: bytes) -> bool:
    """Say whether a sequence parameter set is of pictures in 4:2:0 with 8 bits."""
    if unit[1] not in _LONG_SETS:
        return True
    bits = _Bits(unit[4:])
    bits.number()
    return bits.number() == 1 and bits.number() == 0 and bits.number() == 0


def _audio_config(data: bytes) -> bytes:
    """Find the AudioSpecificConfig in the descriptors of `esds` (ISO/IEC 14496-1, 7.2.6)."""
    place = 0
    while place + 2 <= len(data):
        tag, place = data[place], place + 1
        size = 0
        for _ in range(4):
            byte = data[place] if place < len(data) else 0
            place, size = place + 1, size << 7 | byte & 127
            if not byte & 128:
                break
        if tag == 3:
            place += 3  # the id and flags; optional fields are not written by anybody
        elif tag == 4:
            if data[place : place + 1] != b"\x40":
                raise NotConcatenable("has sound other than AAC")
            place += 13
        elif tag == 5:
            return data[place : place + size]
        else:
            place += size
    raise NotConcatenable("has no set-up for its sound")
