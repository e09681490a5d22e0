"""Sample entries: the decoder configuration of a track.

Two tracks can be concatenated if their entries are equal. For H.264 it is enough that parameter
sets with the same id are equal: then one entry carries the sets of both tracks (ISO/IEC 14496-15,
5.3.3), and the decoder looks up the set that each frame refers to.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from common.media.mp4 import boxes
from common.media.mp4.boxes import NotConcatenable

_VISUAL_BYTES, _AUDIO_BYTES = 78, 28
# Bit rates are informative, and differ between clips that decode alike.
_IGNORED_BOXES = {b"btrt"}
_SPS, _PPS = 7, 8
_PROFILES = {66, 77, 100}  # Baseline, Main, High
_PROFILES_WITH_EXTENSION = {100, 110, 122, 144}  # their record continues after the sets


@dataclass(frozen=True, slots=True)
class VideoSampleEntry:
    """The sample entry of a video track. `codec` is its four-character code, such as b"avc1".

    `decoder_config` is the decoder configuration box. For H.264 it is None and `avc` holds the
    parsed record.
    """

    codec: bytes
    width: int
    height: int
    extension_boxes: tuple[bytes, ...]  # such as `pasp` and `colr`
    decoder_config: bytes | None
    avc: "AvcConfig | None"

    @property
    def pixel_aspect(self) -> Fraction:
        """The pixel aspect ratio, width to height."""
        for box in self.extension_boxes:
            if box[4:8] == b"pasp" and len(box) == 16:
                width, height = struct.unpack_from(">II", box, 8)
                return Fraction(width, height) if width and height else Fraction(1)
        return Fraction(1)

    def format_key(self) -> tuple[object, ...]:
        """Return everything that must be equal between clips, except H.264 parameter sets."""
        return (
            self.codec,
            self.width,
            self.height,
            self.extension_boxes,
            self.decoder_config,
            self.avc is None,
        )

    def pack(self) -> bytes:
        """Return the entry as a box."""
        fields = struct.pack(
            ">6xH16xHHIIIH32xHh",
            *(1, self.width, self.height, 0x480000, 0x480000, 0, 1, 24, -1),
        )
        decoder_config = (
            self.decoder_config if self.avc is None else boxes.pack(b"avcC", self.avc.pack())
        )
        return boxes.pack(self.codec, fields, decoder_config or b"", *self.extension_boxes)


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """The decoder configuration of H.264 (AVCDecoderConfigurationRecord)."""

    profile: int
    compatibility: int
    level: int
    nal_length_size: int  # bytes of the length before each NAL unit
    parameter_sets: tuple[bytes, ...]  # sequence parameter sets, then picture parameter sets
    extension: bytes  # chroma format and bit depths, in the higher profiles

    @property
    def sps(self) -> tuple[bytes, ...]:
        """The sequence parameter sets."""
        return tuple(nal_unit for nal_unit in self.parameter_sets if nal_unit[0] & 31 == _SPS)

    @property
    def pps(self) -> tuple[bytes, ...]:
        """The picture parameter sets."""
        return tuple(nal_unit for nal_unit in self.parameter_sets if nal_unit[0] & 31 == _PPS)

    @property
    def unused_parameter_set_id(self) -> int | None:
        """The lowest id that no parameter set uses, or None."""
        used_ids = {_parameter_set_id(nal_unit) for nal_unit in self.parameter_sets}
        return next((free_id for free_id in range(31) if free_id not in used_ids), None)

    @property
    def can_be_encoded(self) -> bool:
        """True if x264 can encode matching clips: common profile, 8-bit 4:2:0, an unused id."""
        return (
            self.profile in _PROFILES
            and all(_is_8_bit_420(nal_unit) for nal_unit in self.sps)
            and self.unused_parameter_set_id is not None
        )

    def merged_with(self, other: "AvcConfig") -> "AvcConfig | None":
        """Return a record for both tracks, or None if one id stands for two different sets.

        Of two common profiles the result has the higher one, which includes the lower one.
        """
        same_profile = self.profile == other.profile and self.extension == other.extension
        are_common_profiles = self.profile in _PROFILES and other.profile in _PROFILES
        if self.nal_length_size != other.nal_length_size or not (
            same_profile or are_common_profiles
        ):
            return None
        by_id = {
            (nal_unit[0] & 31, _parameter_set_id(nal_unit)): nal_unit
            for nal_unit in self.parameter_sets
        }
        for nal_unit in other.parameter_sets:
            if (
                by_id.setdefault((nal_unit[0] & 31, _parameter_set_id(nal_unit)), nal_unit)
                != nal_unit
            ):
                return None
        ordered = sorted(by_id.items())  # sequence sets (7) come before picture sets (8)
        higher_profile = max(self, other, key=lambda avc: avc.profile)
        return replace(
            higher_profile,
            compatibility=self.compatibility & other.compatibility,
            level=max(self.level, other.level),
            parameter_sets=tuple(nal_unit for _, nal_unit in ordered),
        )

    def pack(self) -> bytes:
        """Return the body of `avcC`."""
        header = struct.pack(
            ">BBBBB",
            1,
            self.profile,
            self.compatibility,
            self.level,
            0xFC | self.nal_length_size - 1,
        )
        sps, pps = self.sps, self.pps
        return b"".join(
            (
                header,
                bytes((0xE0 | len(sps),)),
                *_length_prefixed(sps),
                bytes((len(pps),)),
                *_length_prefixed(pps),
                self.extension,
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> "AvcConfig":
        """Parse the body of `avcC`; raises NotConcatenable."""
        try:
            _, profile, compatibility, level, length = struct.unpack_from(">BBBBB", body)
            offset, sets = 5, list[bytes]()
            for mask in (31, 255):
                count, offset = body[offset] & mask, offset + 1
                for _ in range(count):
                    size = int.from_bytes(body[offset : offset + 2], "big")
                    sets.append(body[offset + 2 : offset + 2 + size])
                    offset += 2 + size
            nal_types = [nal_unit[0] & 31 for nal_unit in sets]
            if offset > len(body) or nal_types != sorted(nal_types) or {*nal_types} != {_SPS, _PPS}:
                raise NotConcatenable("has no usable H.264 parameter sets")
            extension = body[offset:] if profile in _PROFILES_WITH_EXTENSION else b""
            record = cls(profile, compatibility, level, (length & 3) + 1, tuple(sets), extension)
            for nal_unit in sets:
                _parameter_set_id(nal_unit)
        except (struct.error, IndexError):
            raise NotConcatenable("has no usable H.264 parameter sets") from None
        return record


@dataclass(frozen=True, slots=True)
class AudioSampleEntry:
    """The sample entry of an AAC track: its AudioSpecificConfig, and the entry as a box."""

    config: bytes
    sample_rate: int
    channels: int
    box: bytes


def read_video_entry(data: bytes) -> VideoSampleEntry:
    """Parse the only entry of a video track's `stsd`; raises NotConcatenable."""
    entry = _single_entry(data)
    if entry.end - entry.start < _VISUAL_BYTES:
        raise NotConcatenable("has a sample entry that is too short")
    width, height = struct.unpack_from(">HH", data, entry.start + 24)
    decoder_config, avc, extension_boxes = None, None, []
    for child in boxes.children(data, entry.start + _VISUAL_BYTES, entry.end):
        body = data[child.start : child.end]
        if child.name == b"avcC":
            avc = AvcConfig.parse(body)
        elif child.name in {b"hvcC", b"vpcC", b"av1C", b"esds"}:
            decoder_config = boxes.pack(child.name, body)
        # A `pasp` of square pixels means the same as no `pasp`.
        elif child.name not in _IGNORED_BOXES and not (
            child.name == b"pasp" and body[:4] == body[4:]
        ):
            extension_boxes.append(boxes.pack(child.name, body))
    if (entry.name == b"avc1") != (avc is not None) or (avc is None and decoder_config is None):
        raise NotConcatenable("has no decoder configuration in its sample entry")
    return VideoSampleEntry(
        entry.name, width, height, tuple(sorted(extension_boxes)), decoder_config, avc
    )


def read_audio_entry(data: bytes) -> AudioSampleEntry:
    """Parse the only entry of an audio track's `stsd`; raises NotConcatenable unless it is AAC."""
    entry = _single_entry(data)
    if entry.name != b"mp4a" or entry.end - entry.start < _AUDIO_BYTES:
        raise NotConcatenable("has audio other than AAC")
    version, channels = struct.unpack_from(">H6xH", data, entry.start + 8)
    sample_rate = int.from_bytes(data[entry.start + 24 : entry.start + 26], "big")
    if version:
        raise NotConcatenable("has a QuickTime audio sample entry")
    box = boxes.find(data, b"esds", boxes.Box(b"", entry.start + _AUDIO_BYTES, entry.end))
    esds = data[box.start : box.end]
    config = _audio_config(esds[4:])
    fields = data[entry.start : entry.start + _AUDIO_BYTES]
    return AudioSampleEntry(
        config, sample_rate, channels, boxes.pack(b"mp4a", fields, boxes.pack(b"esds", esds))
    )


def make_audio_entry(config: bytes, sample_rate: int, channels: int) -> AudioSampleEntry:
    """Return the sample entry of audio that this program encoded."""
    fields = struct.pack(">6xH8xHHIHH", 1, channels, 16, 0, sample_rate, 0)
    decoder = bytes((0x40, 0x15)) + bytes(3 + 4 + 4) + _descriptor(5, config)
    stream = struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    esds = boxes.pack_full(b"esds", 0, 0, _descriptor(3, stream))
    return AudioSampleEntry(config, sample_rate, channels, boxes.pack(b"mp4a", fields, esds))


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body


def _single_entry(data: bytes) -> boxes.Box:
    entries = list(boxes.children(data, 8))
    if len(entries) != 1 or int.from_bytes(data[4:8], "big") != 1:
        raise NotConcatenable(f"has {len(entries)} sample entries in a track")
    return entries[0]


def _length_prefixed(units: Iterable[bytes]) -> list[bytes]:
    return [struct.pack(">H", len(nal_unit)) + nal_unit for nal_unit in units]


class _BitReader:
    """A reader of the first 32 bytes of a parameter set, whose fields are Exp-Golomb codes."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data[:32].ljust(32, b"\0"), "big")
        self._left = 256

    def exp_golomb(self) -> int:
        zeros = 0
        while not self._read(1):
            zeros += 1
            if zeros > 16:
                raise NotConcatenable("has a parameter set that cannot be read")
        return (1 << zeros) - 1 + self._read(zeros)

    def _read(self, count: int) -> int:
        self._left -= count
        return self._bits >> self._left & (1 << count) - 1


def _parameter_set_id(nal_unit: bytes) -> int:
    """Return the id of a parameter set, which follows three more bytes in an SPS."""
    return _BitReader(nal_unit[4:] if nal_unit[0] & 31 == _SPS else nal_unit[1:]).exp_golomb()


def _is_8_bit_420(nal_unit: bytes) -> bool:
    """Return whether a sequence parameter set describes frames in 4:2:0 with 8 bits."""
    if nal_unit[1] not in _PROFILES_WITH_EXTENSION:
        return True
    bits = _BitReader(nal_unit[4:])
    bits.exp_golomb()
    return bits.exp_golomb() == 1 and bits.exp_golomb() == 0 and bits.exp_golomb() == 0


def _audio_config(data: bytes) -> bytes:
    """Find the AudioSpecificConfig in the descriptors of `esds` (ISO/IEC 14496-1, 7.2.6)."""
    offset = 0
    while offset + 2 <= len(data):
        tag, offset = data[offset], offset + 1
        size = 0
        for _ in range(4):
            byte = data[offset] if offset < len(data) else 0
            offset, size = offset + 1, size << 7 | byte & 127
            if not byte & 128:
                break
        if tag == 3:
            offset += 3  # ES_ID and flags; encoders do not write the optional fields
        elif tag == 4:
            if data[offset : offset + 1] != b"\x40":
                raise NotConcatenable("has audio other than AAC")
            offset += 13
        elif tag == 5:
            return data[offset : offset + size]
        else:
            offset += size
    raise NotConcatenable("has no decoder configuration for its audio")
