"""Decode the sound of many clips with few runs of ffmpeg, and lay it beside the pictures.

Starting ffmpeg for every clip costs more than decoding. So the AAC packets of all clips of one kind
go through one decoder, with a packet of silence before each clip, which leaves nothing of the clip
before in the decoder. Clips with other sound are decoded by themselves.
"""

from array import array
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from common.aws.log import logger
from common.domain.errors import MediaError
from common.media import ffmpeg
from common.media.mp4 import aac
from common.media.mp4.audio_track import Packet
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import AAC_SAMPLES
from merge.audio import downmix
from merge.audio.aac_codec import Coder, native
from merge.timeline import ClipProbe, MergePlan

RATE, CHANNELS = 48_000, 2
SAMPLE_BYTES = 2 * CHANNELS
_FADE = RATE // 200  # 5 ms at a cut, so that nothing clicks
_SECONDS = 300
_COPY_BYTES = 1024 * 1024
_SLACK = 64  # samples by which resampling may change the length


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A clip's decoded sound: samples of a file with 48 kHz, stereo, 16 bits, little-endian.

    It is heard from sample `start` to sample `end` of the file; its first picture is at `zero`.
    """

    path: Path
    zero: int
    start: int
    end: int


def lay_out(plan: MergePlan, target: Path, pool: Executor) -> Path:
    """Write the sound of all scenes: 48 kHz, stereo, 16 bits, little-endian.

    It is as long as the pictures, to the sample. Where scenes overlap, one is faded into the other.
    """
    stretches = _decoded(plan, target, pool)
    with ExitStack() as stack:
        paths = {one.path for one in stretches if one is not None}
        sources = {path: stack.enter_context(path.open("rb")) for path in paths}
        out = stack.enter_context(target.open("w+b"))
        out.truncate(samples(plan, plan.frames) * SAMPLE_BYTES)  # silence, unless written below
        for place, stretch in enumerate(stretches):
            if stretch is not None:
                _lay(plan, place, stretch, sources[stretch.path], out)
    for path in paths:
        path.unlink()
    return target


def samples(plan: MergePlan, frames: int) -> int:
    """Return how many samples last as long as so many frames."""
    return round(frames / plan.rate * RATE)


def _lay(
    plan: MergePlan, place: int, stretch: DecodedAudio, source: BinaryIO, out: BinaryIO
) -> None:
    """Copy the sound of a shot to its place, and fade it where it meets that of other shots."""
    shot = plan.shots[place]
    begin, end = samples(plan, shot.start), samples(plan, shot.start + shot.frames)
    shared = samples(plan, shot.start + shot.shared) - begin
    before = _read(out, begin, shared)  # faded out already
    _write(out, begin, array("h", bytes(len(before) * before.itemsize)))
    first = max(0, stretch.start - stretch.zero)  # from `begin` on
    last = max(first, min(end - begin, stretch.end - stretch.zero))
    source.seek((stretch.zero + first) * SAMPLE_BYTES)
    out.seek((begin + first) * SAMPLE_BYTES)
    _copy(source, out, (last - first) * SAMPLE_BYTES)
    if place:
        length = min(shared or _FADE, end - begin)
        own = _faded(_read(out, begin, length), rising=True)
        pairs = zip_longest(own, before, fillvalue=0)
        _write(out, begin, array("h", (max(-32768, min(32767, a + b)) for a, b in pairs)))
    if place + 1 < len(plan.shots):
        after = samples(plan, plan.shots[place + 1].start)
        length = min(end - after or _FADE, end - begin)
        _write(out, end - length, _faded(_read(out, end - length, length), rising=False))


def _faded(sound: "array[int]", *, rising: bool) -> "array[int]":
    """Return the samples with a linear fade over all of them."""
    count = max(1, len(sound) // CHANNELS)
    steps = range(count) if rising else range(count, 0, -1)
    return array(
        "h",
        (
            value * step // count
            for step, pair in zip(steps, zip(sound[::2], sound[1::2], strict=True), strict=True)
            for value in pair
        ),
    )


def _read(file: BinaryIO, place: int, count: int) -> "array[int]":
    file.seek(place * SAMPLE_BYTES)
    return native(array("h", file.read(count * SAMPLE_BYTES)))


def _write(file: BinaryIO, place: int, sound: "array[int]") -> None:
    file.seek(place * SAMPLE_BYTES)
    file.write(native(sound).tobytes())


def _copy(source: BinaryIO, out: BinaryIO, size: int) -> None:
    while size > 0 and (part := source.read(min(size, _COPY_BYTES))):
        out.write(part)
        size -= len(part)


def _decoded(plan: MergePlan, beside: Path, pool: Executor) -> list[DecodedAudio | None]:
    """Decode the sound of every shot; None for one without."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for place, shot in enumerate(plan.shots):
        if shot.facts.sound is not None:
            kinds.setdefault(shot.facts.sound, []).append(place)
    found: dict[int, DecodedAudio] = {}
    for number, places in enumerate(kinds.values()):
        target = beside.with_name(f"{beside.stem}_kind_{number}.pcm")
        try:
            clips = [plan.shots[place].facts for place in places]
            found |= zip(places, _together(clips, target), strict=True)
        except (MediaError, NotConcatenable) as error:
            # Then each of them is decoded by itself, which does not mind as much.
            logger.info("Sound cannot be decoded together", extra={"detail": str(error)})
            target.unlink(missing_ok=True)
    alone = [
        place
        for place, shot in enumerate(plan.shots)
        if shot.facts.has_sound and place not in found
    ]
    targets = [beside.with_name(f"{beside.stem}_{place:03d}.pcm") for place in alone]
    found |= zip(alone, pool.map(partial(_alone, plan), alone, targets), strict=True)
    return [found.get(place) for place in range(len(plan.shots))]


def _together(clips: Sequence[ClipProbe], target: Path) -> list[DecodedAudio]:
    """Decode the packets of clips of one kind in one run. Raises Unreadable if that fails."""
    pairs = [(one.movie, one.movie.sound) for one in clips if one.movie and one.movie.sound]
    setup = aac.Setup.of(pairs[0][1].entry.config)
    packets, stretches = list[Packet](), list[DecodedAudio]()
    with closing(Coder(setup, target.parent)) as coder:
        for movie, own in pairs:
            packets.append(coder.silence())
            # Of the clip's clock, in seconds, where its first packet is the next one.
            begin = Fraction(len(packets) * AAC_SAMPLES, setup.hertz) - own.first
            moments = (movie.pictures.first, own.start, own.end)
            stretches.append(DecodedAudio(target, *(round((begin + at) * RATE) for at in moments)))
            places = zip(own.samples.offsets, own.samples.sizes, strict=True)
            packets += (Packet(movie.path, offset, size) for offset, size in places)
        packets.append(coder.silence())
        filters = f"aresample={RATE},{downmix.to_stereo(coder.layout)},aformat=sample_fmts=s16"
        coder.decode_file(packets, target, filters)
    wanted = Fraction(len(packets) * AAC_SAMPLES * RATE, setup.hertz)
    if abs(target.stat().st_size / SAMPLE_BYTES - wanted) > _SLACK:
        raise NotConcatenable("has sound that decodes to another length than it says")
    return stretches


def _alone(plan: MergePlan, place: int, target: Path) -> DecodedAudio:
    """Decode the sound of one clip, from its first picture on."""
    shot = plan.shots[place]
    facts, used = shot.facts, ffmpeg.audio_stream(shot.facts.path)
    begin = ffmpeg.inspect(facts.path).start if facts.start is None else facts.start
    count = samples(plan, shot.frames) + 1
    filters = (
        f"asetpts=PTS-{float(begin):.9f}/TB,aresample={RATE}:async=1:first_pts=0,"
        f"{downmix.to_stereo(used.layout)},aformat=sample_fmts=s16,atrim=end_sample={count}"
    )
    ffmpeg.run(
        [
            *ffmpeg.source(facts.path),
            "-map",
            f"0:{used.index}",
            "-af",
            filters,
            "-f",
            "s16le",
            "-c:a",
            "pcm_s16le",
            "-y",
            str(target),
        ],
        timeout=_SECONDS,
    )
    return DecodedAudio(target, 0, 0, target.stat().st_size // SAMPLE_BYTES)
