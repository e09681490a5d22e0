"""The joints of sound that is joined as it came: the few packets where one clip meets the next.

Two clips' packets do not fit each other: side by side they give an echo and a click. So the sound
around each joint is decoded, the end of one clip and the beginning of the next are faded within
5 ms, and that is encoded anew: about three packets of each joint, the joints of a cut in few runs.
All other packets stay as they came. The result is decoded and held against what was meant; that
can be done while the file is written, since it hardly ever fails.
"""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from operator import floordiv, mul, sub

from common.media.mp4 import aac
from common.media.mp4.audio_track import AudioRow, Joint, Packet
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import AAC_SAMPLES
from merge.audio.aac_codec import Coder, Pcm

# Blocks on each side of a joint that are decoded and encoded; fewer are exchanged. The fewer are
# nearly always enough; where sound ends early, or windows do not fit, there must be more.
_NEAR, _FAR = 6, 8
_SETTLED = 2  # blocks after which a decoder, or an encoder, has forgotten what was before
_FADE = 240  # sound samples
_PAUSE = 3 * AAC_SAMPLES
_SHARPER, _FAINT = 2.0, 200  # what a sudden change may exceed that of the sound itself by
# A run starts the decoder and the encoder once, which costs as much as ten joints. So there are no
# more runs than the function has processors.
_RUNS, _LEAST_RUN = 2, 8
_LEAST_BITS, _MOST_BITS = 96_000, 320_000  # a second


@dataclass(frozen=True, slots=True)
class Repair:
    """A joint with new packets from place `start` on, and what shall be heard around it."""

    joint: Joint
    meant: Pcm
    start: int
    packets: Sequence[Packet]

    @property
    def end(self) -> int:
        """The first place after the new packets."""
        return self.start + len(self.packets)


def repair_joins(row: AudioRow, coder: Coder, pool: Executor) -> tuple[AudioRow, Sequence[Repair]]:
    """Return the row with its joints encoded anew, by the threads of `pool`; `check` is to follow.

    Raises Unreadable, with the reason, when that cannot be done; the sound must be encoded as a
    whole then.
    """
    if min(end - start for start, end in pairwise(row.lines)) < 2 * _FAR and row.joints:
        raise NotConcatenable("is too short for its sound to be joined as it is")
    bits, count = _bits(row), len(row.joints)
    size = max(_LEAST_RUN, -(-count // _RUNS))

    def run(first: int, side: int = _NEAR) -> list[Repair]:
        joints, name = row.joints[first : first + size], f"joints_{first}_{side}"
        meant = _faded(coder.decode(_apart(joints, side), f"{name}_old"), joints, side, coder)
        new = _encoded(meant, bits, coder, name)
        try:
            return [_mended(row, *parts, coder) for parts in zip(joints, meant, new, strict=True)]
        except NotConcatenable:
            if side == _FAR:
                raise
            return run(first, _FAR)

    mends = [one for done in pool.map(run, range(0, count, size)) for one in done]
    packets = list(row.packets)
    for one in mends:
        packets[one.start : one.end] = one.packets
    return replace(row, packets=packets), mends


def check(row: AudioRow, mends: Sequence[Repair], coder: Coder) -> None:
    """Decode the mended row around its joints; raises Unreadable if there is a click at one."""
    if not mends:
        return
    stretches = [range(one.start - _SETTLED, one.end + 1) for one in mends]
    packets = (row.packets[place] for stretch in stretches for place in stretch)
    heard, begin = coder.decode(packets, "joined"), 0
    for one, stretch in zip(mends, stretches, strict=True):
        end = begin + len(stretch) * coder.block
        _compare(heard[begin:end], stretch, one, coder)
        begin = end


def _apart(joints: Sequence[Joint], side: int) -> Iterator[Packet]:
    """Yield what must be decoded for each joint: the one clip's own packets, then the other's."""
    for joint in joints:
        yield from joint.before.at(range(joint.place - side - 1, joint.place))
        yield from joint.after.at(range(joint.place - 1, joint.place + side))


def _bits(row: AudioRow) -> int:
    """Return the bits a second of the row's sound, within what is sensible."""
    share = sum(packet.size for packet in row.packets) / len(row.packets) / AAC_SAMPLES
    return round(min(_MOST_BITS, max(_LEAST_BITS, share * 8 * row.entry.rate)))


def _encoded(
    meant: Sequence[Pcm], bits: int, coder: Coder, name: str
) -> Iterator[Sequence[Packet]]:
    """Yield the new packets of each joint: the one that begins with its first block, and so on.

    What stands before a joint in the run does not matter: its first packets are never taken.
    """
    samples = array("h")
    for around in meant:
        samples.extend(around)
    packets = coder.encode(samples, bits, name)
    place = 1  # after the encoder's priming
    for around in meant:
        count = len(around) // coder.block
        yield packets[place : place + count]
        place += count


def _mended(row: AudioRow, joint: Joint, meant: Pcm, new: Sequence[Packet], coder: Coder) -> Repair:
    """Choose which new packets to take: as few as there can be, with windows that fit the old ones.

    Blocks that were faded are changed, and so are the packets that reach into them.
    """
    line, side = joint.place * AAC_SAMPLES, len(new) // 2
    changed_before = -(-(_silent(line - joint.before.end) + _FADE) // AAC_SAMPLES)
    changed_after = -(-(_silent(joint.after.start - line) + _FADE) // AAC_SAMPLES)

    def fresh(place: int) -> Packet:
        return new[place - joint.place + side]

    def fit(place: int, before: Packet, after: Packet) -> bool:
        one, other = aac.window(coder.read(before)), aac.window(coder.read(after))
        return one is not None and other is not None and one.ends_short == other.starts_short

    least, most = joint.place - side + _SETTLED, joint.place + side - _SETTLED
    starts = [
        place
        for place in range(joint.place - changed_before - 1, least, -1)
        if fit(place, row.packets[place - 1], fresh(place))
    ]
    ends = [
        place
        for place in range(joint.place + changed_after, most)
        if fit(place, fresh(place - 1), row.packets[place])
    ]
    if not starts or not ends:
        raise NotConcatenable("has sound whose windows leave no place for a joint")
    packets = [fresh(place) for place in range(starts[0], ends[0])]
    return Repair(joint, meant, starts[0], packets)


def _silent(samples: int) -> int:
    """Return how much is made silent where a clip's sound ends early, or begins late.

    What is longer than a few blocks is a pause in the clip, and nothing of the joint.
    """
    return max(0, samples) if samples < _PAUSE else 0


def _faded(decoded: Pcm, joints: Sequence[Joint], side: int, coder: Coder) -> list[Pcm]:
    """Return what shall be heard at each joint: without the decoder's beginnings, and faded.

    The first clip is faded out where it ends, the second in where it begins.
    """
    block, length = coder.block, side * coder.block
    meant = list[Pcm]()
    for number, joint in enumerate(joints):
        line = joint.place * AAC_SAMPLES
        start = number * 2 * (length + block)
        before = array("h", decoded[start + block : start + block + length])
        after = array("h", decoded[start + 2 * block + length : start + 2 * (block + length)])
        before.reverse()
        _fade(before, _silent(line - joint.before.end), coder.channels)
        before.reverse()
        _fade(after, _silent(joint.after.start - line), coder.channels)
        meant.append(before + after)
    return meant


def _fade(samples: "array[int]", silent: int, channels: int) -> None:
    """Make the beginning silent for so many samples, and fade the next ones in."""
    start = silent * channels
    end = start + _FADE * channels
    samples[:start] = array("h", bytes(2 * start))
    ramp = (place // channels for place in range(_FADE * channels))
    faded = map(floordiv, map(mul, samples[start:end], ramp), repeat(_FADE))
    samples[start:end] = array("h", faded)


def _compare(heard: Pcm, stretch: range, one: Repair, coder: Coder) -> None:
    """Raise Unreadable if there is a sharper change at a new packet's edge than was meant."""
    block = coder.block
    first = one.joint.place - len(one.meant) // (2 * block)
    # At both edges a new packet and an old one make one block together; and the joint itself.
    for place in (one.start, one.joint.place - 1, one.joint.place, one.end):
        there, ideal = (place - stretch.start) * block, (place - first) * block
        found = _sharpest(heard[there : there + block : coder.channels])
        wanted = _sharpest(one.meant[ideal : ideal + block : coder.channels])
        if found > wanted * _SHARPER + _FAINT:
            raise NotConcatenable("has sound that clicks where it is joined")


def _sharpest(samples: Pcm) -> int:
    """Return the greatest sudden change: the second difference of neighbouring samples."""
    levels = list(samples)
    slopes = list(map(sub, levels[1:], levels))
    sharpest: int = max(map(abs, map(sub, slopes[1:], slopes)))
    return sharpest
