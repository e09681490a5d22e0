"""Re-encode the AAC packets around clip boundaries of audio that is otherwise stream-copied.

Packets overlap, so adjacent packets of two clips decode to an echo and a click. The audio around
each boundary is decoded, the end of one clip and the beginning of the next are faded within 5 ms,
and the result is encoded again: about three packets per boundary, all boundaries in few runs of
ffmpeg. All other packets are stream-copied.

The result is decoded and compared with the intended samples. That hardly ever fails, so it is done
while the file is written.
"""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from operator import floordiv, mul, sub

from common.media.mp4 import aac
from common.media.mp4.audio_track import AudioTrackPlan, Boundary, Packet
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import AAC_SAMPLES
from merge.audio.aac_codec import AacCodec, Pcm

# Blocks on each side of a boundary to decode and encode; fewer are replaced. _NEAR is nearly always
# enough; _FAR is needed where audio ends early or windows do not match.
_NEAR, _FAR = 6, 8
_SETTLING_BLOCKS = 2  # blocks after which decoder and encoder no longer depend on earlier audio
_FADE_SAMPLES = 240  # 5 ms at 48 kHz
_PAUSE_SAMPLES = 3 * AAC_SAMPLES
# Factor and offset by which a change between samples may exceed the intended one.
_SHARPNESS_FACTOR, _FAINT = 2.0, 200
# A run starts the decoder and the encoder once, which costs as much as ten boundaries. So there are
# no more runs than the function has processors.
_MAX_RUNS, _MIN_RUN = 2, 8
_MIN_BIT_RATE, _MAX_BIT_RATE = 96_000, 320_000  # bits per second


@dataclass(frozen=True, slots=True)
class Repair:
    """New packets for a boundary, from index `start` on, and the intended samples around it."""

    boundary: Boundary
    target: Pcm
    start: int
    packets: Sequence[Packet]

    @property
    def end(self) -> int:
        """The index after the last new packet."""
        return self.start + len(self.packets)


def repair_joins(
    track: AudioTrackPlan, coder: AacCodec, pool: Executor
) -> tuple[AudioTrackPlan, Sequence[Repair]]:
    """Return the track with its boundaries re-encoded by the threads of `pool`.

    Call `check` with the result. Raises NotConcatenable, with the reason, if the boundaries cannot
    be repaired; the audio must then be encoded as a whole.
    """
    shortest = min(end - start for start, end in pairwise(track.clip_starts))
    if shortest < 2 * _FAR and track.boundaries:
        raise NotConcatenable("is too short for its audio to be stream-copied")
    bit_rate, boundary_count = _bit_rate(track), len(track.boundaries)
    group_size = max(_MIN_RUN, -(-boundary_count // _MAX_RUNS))

    def repair_group(first: int, side: int = _NEAR) -> list[Repair]:
        boundaries = track.boundaries[first : first + group_size]
        name = f"boundaries_{first}_{side}"
        decoded = coder.decode(_packets_around(boundaries, side), f"{name}_old")
        targets = _fade_targets(decoded, boundaries, side, coder)
        encoded = _encode_targets(targets, bit_rate, coder, name)
        try:
            return [
                _choose_packets(track, boundary, target, packets, coder)
                for boundary, target, packets in zip(boundaries, targets, encoded, strict=True)
            ]
        except NotConcatenable:
            if side == _FAR:
                raise
            return repair_group(first, _FAR)

    groups = pool.map(repair_group, range(0, boundary_count, group_size))
    repairs = [repair for group in groups for repair in group]
    packets = list(track.packets)
    for repair in repairs:
        packets[repair.start : repair.end] = repair.packets
    return replace(track, packets=packets), repairs


def check(track: AudioTrackPlan, repairs: Sequence[Repair], coder: AacCodec) -> None:
    """Decode the track around its boundaries; raises NotConcatenable if there is a click."""
    if not repairs:
        return
    ranges = [range(repair.start - _SETTLING_BLOCKS, repair.end + 1) for repair in repairs]
    packets = (track.packets[index] for packet_range in ranges for index in packet_range)
    decoded, begin = coder.decode(packets, "joined"), 0
    for repair, packet_range in zip(repairs, ranges, strict=True):
        end = begin + len(packet_range) * coder.block
        _check_clicks(decoded[begin:end], packet_range, repair, coder)
        begin = end


def _packets_around(boundaries: Sequence[Boundary], side: int) -> Iterator[Packet]:
    """Yield the packets to decode for each boundary: first of the one clip, then of the other."""
    for boundary in boundaries:
        yield from boundary.before.packets(range(boundary.index - side - 1, boundary.index))
        yield from boundary.after.packets(range(boundary.index - 1, boundary.index + side))


def _bit_rate(track: AudioTrackPlan) -> int:
    """Return the track's mean bit rate within _MIN_BIT_RATE and _MAX_BIT_RATE."""
    mean_bytes = sum(packet.size for packet in track.packets) / len(track.packets)
    bit_rate = mean_bytes / AAC_SAMPLES * 8 * track.entry.sample_rate
    return round(min(_MAX_BIT_RATE, max(_MIN_BIT_RATE, bit_rate)))


def _encode_targets(
    targets: Sequence[Pcm], bit_rate: int, coder: AacCodec, name: str
) -> Iterator[Sequence[Packet]]:
    """Encode the samples of all boundaries; yield the packets of each, one per block.

    The preceding boundary only affects the first packets of each, which are never used.
    """
    samples = array("h")
    for target in targets:
        samples.extend(target)
    packets = coder.encode(samples, bit_rate, name)
    index = 1  # after the encoder's priming
    for target in targets:
        count = len(target) // coder.block
        yield packets[index : index + count]
        index += count


def _choose_packets(
    track: AudioTrackPlan,
    boundary: Boundary,
    target: Pcm,
    encoded: Sequence[Packet],
    coder: AacCodec,
) -> Repair:
    """Replace as few packets as possible, such that windows of old and new packets match.

    Packets that cover faded blocks must be replaced.
    """
    boundary_sample, side = boundary.index * AAC_SAMPLES, len(encoded) // 2
    gap_before = _gap_samples(boundary_sample - boundary.before.end)
    gap_after = _gap_samples(boundary.after.start - boundary_sample)
    changed_before = -(-(gap_before + _FADE_SAMPLES) // AAC_SAMPLES)
    changed_after = -(-(gap_after + _FADE_SAMPLES) // AAC_SAMPLES)

    def encoded_packet(index: int) -> Packet:
        return encoded[index - boundary.index + side]

    def windows_match(before: Packet, after: Packet) -> bool:
        first, second = aac.window(coder.read(before)), aac.window(coder.read(after))
        return first is not None and second is not None and first.ends_short == second.starts_short

    earliest = boundary.index - side + _SETTLING_BLOCKS
    latest = boundary.index + side - _SETTLING_BLOCKS
    starts = [
        index
        for index in range(boundary.index - changed_before - 1, earliest, -1)
        if windows_match(track.packets[index - 1], encoded_packet(index))
    ]
    ends = [
        index
        for index in range(boundary.index + changed_after, latest)
        if windows_match(encoded_packet(index - 1), track.packets[index])
    ]
    if not starts or not ends:
        raise NotConcatenable("has audio whose windows do not match at a boundary")
    packets = [encoded_packet(index) for index in range(starts[0], ends[0])]
    return Repair(boundary, target, starts[0], packets)


def _gap_samples(samples: int) -> int:
    """Return the samples to silence where a clip's audio ends early or begins late.

    A longer gap is a pause within the clip, and needs no repair.
    """
    return max(0, samples) if samples < _PAUSE_SAMPLES else 0


def _fade_targets(
    decoded: Pcm, boundaries: Sequence[Boundary], side: int, coder: AacCodec
) -> list[Pcm]:
    """Return the intended samples at each boundary, without the first block of each decode.

    The first clip is faded out at its end and the second clip faded in at its start.
    """
    block, side_samples = coder.block, side * coder.block
    targets = list[Pcm]()
    for number, boundary in enumerate(boundaries):
        boundary_sample = boundary.index * AAC_SAMPLES
        start = number * 2 * (side_samples + block)
        end = start + block + side_samples
        before = array("h", decoded[start + block : end])
        after = array("h", decoded[end + block : end + block + side_samples])
        before.reverse()
        _fade(before, _gap_samples(boundary_sample - boundary.before.end), coder.channels)
        before.reverse()
        _fade(after, _gap_samples(boundary.after.start - boundary_sample), coder.channels)
        targets.append(before + after)
    return targets


def _fade(samples: "array[int]", gap: int, channels: int) -> None:
    """Silence the first `gap` samples and fade in the following ones."""
    start = gap * channels
    end = start + _FADE_SAMPLES * channels
    samples[:start] = array("h", bytes(2 * start))
    ramp = (index // channels for index in range(_FADE_SAMPLES * channels))
    faded = map(floordiv, map(mul, samples[start:end], ramp), repeat(_FADE_SAMPLES))
    samples[start:end] = array("h", faded)


def _check_clicks(decoded: Pcm, packet_range: range, repair: Repair, coder: AacCodec) -> None:
    """Raise NotConcatenable if a change at the edge of a new packet is sharper than intended."""
    block = coder.block
    first = repair.boundary.index - len(repair.target) // (2 * block)
    # A new and an old packet overlap in one block at both edges. Also check the boundary itself.
    for index in (repair.start, repair.boundary.index - 1, repair.boundary.index, repair.end):
        offset, target_offset = (index - packet_range.start) * block, (index - first) * block
        sharpness = _sharpness(decoded[offset : offset + block : coder.channels])
        target = repair.target[target_offset : target_offset + block : coder.channels]
        if sharpness > _sharpness(target) * _SHARPNESS_FACTOR + _FAINT:
            raise NotConcatenable("has audio that clicks at a boundary")


def _sharpness(samples: Pcm) -> int:
    """Return the sharpest change: the largest second difference of adjacent samples."""
    levels = list(samples)
    slopes = list(map(sub, levels[1:], levels))
    sharpest: int = max(map(abs, map(sub, slopes[1:], slopes)))
    return sharpest
