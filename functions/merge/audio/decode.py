"""Decode the clips' audio with few runs of ffmpeg, and mix it in sync with the video.

Starting ffmpeg once per clip takes longer than decoding. So the AAC packets of all clips of the
same format are decoded in one run. A silent packet before each clip flushes the previous clip from
the decoder. Clips with audio in other codecs are decoded one by one.
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
from merge.audio.aac_codec import AacCodec, to_native_order
from merge.timeline import ClipProbe, MergePlan

RATE, CHANNELS = 48_000, 2
SAMPLE_BYTES = 2 * CHANNELS
_FADE_SAMPLES = RATE // 200  # 5 ms at a clip boundary, to avoid clicks
_TIMEOUT_SECONDS = 300
_COPY_BYTES = 1024 * 1024
_LENGTH_TOLERANCE = 64  # samples by which resampling may change the length


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A clip's decoded audio, in a PCM file with 48 kHz, stereo, 16 bits, little-endian.

    It is audible from sample `start` to sample `end` of the file. `first_frame` is the sample at
    which the clip's first frame is presented.
    """

    path: Path
    first_frame: int
    start: int
    end: int


def lay_out(plan: MergePlan, target: Path, pool: Executor) -> Path:
    """Write the audio of all scenes as PCM: 48 kHz, stereo, 16 bits, little-endian.

    It has exactly the duration of the video. Overlapping scenes are cross-faded.
    """
    clip_audio = _decode_clips(plan, target, pool)
    with ExitStack() as stack:
        paths = {decoded.path for decoded in clip_audio if decoded is not None}
        sources = {path: stack.enter_context(path.open("rb")) for path in paths}
        out = stack.enter_context(target.open("w+b"))
        out.truncate(samples(plan, plan.frames) * SAMPLE_BYTES)  # silence, unless written below
        for index, decoded in enumerate(clip_audio):
            if decoded is not None:
                _mix_segment(plan, index, decoded, sources[decoded.path], out)
    for path in paths:
        path.unlink()
    return target


def samples(plan: MergePlan, frames: int) -> int:
    """Return the number of audio samples with the duration of `frames`."""
    return round(frames / plan.rate * RATE)


def _mix_segment(
    plan: MergePlan, index: int, decoded: DecodedAudio, source: BinaryIO, out: BinaryIO
) -> None:
    """Copy a segment's audio to its position, and fade it at the boundaries of the segment."""
    segment = plan.segments[index]
    begin, end = samples(plan, segment.start), samples(plan, segment.start + segment.frames)
    shared = samples(plan, segment.start + segment.overlap_frames) - begin
    previous_tail = _read(out, begin, shared)  # already faded out
    _write(out, begin, array("h", bytes(len(previous_tail) * previous_tail.itemsize)))
    first_sample = max(0, decoded.start - decoded.first_frame)  # relative to `begin`
    end_sample = max(first_sample, min(end - begin, decoded.end - decoded.first_frame))
    source.seek((decoded.first_frame + first_sample) * SAMPLE_BYTES)
    out.seek((begin + first_sample) * SAMPLE_BYTES)
    _copy(source, out, (end_sample - first_sample) * SAMPLE_BYTES)
    if index:
        fade_samples = min(shared or _FADE_SAMPLES, end - begin)
        faded_in = _faded(_read(out, begin, fade_samples), rising=True)
        pairs = zip_longest(faded_in, previous_tail, fillvalue=0)
        _write(out, begin, array("h", (max(-32768, min(32767, a + b)) for a, b in pairs)))
    if index + 1 < len(plan.segments):
        next_start = samples(plan, plan.segments[index + 1].start)
        fade_samples = min(end - next_start or _FADE_SAMPLES, end - begin)
        tail = _read(out, end - fade_samples, fade_samples)
        _write(out, end - fade_samples, _faded(tail, rising=False))


def _faded(pcm: "array[int]", *, rising: bool) -> "array[int]":
    """Apply a linear fade over all samples."""
    count = max(1, len(pcm) // CHANNELS)
    ramp = range(count) if rising else range(count, 0, -1)
    stereo_samples = zip(pcm[::2], pcm[1::2], strict=True)
    return array(
        "h",
        (
            value * level // count
            for level, stereo_sample in zip(ramp, stereo_samples, strict=True)
            for value in stereo_sample
        ),
    )


def _read(file: BinaryIO, index: int, count: int) -> "array[int]":
    file.seek(index * SAMPLE_BYTES)
    return to_native_order(array("h", file.read(count * SAMPLE_BYTES)))


def _write(file: BinaryIO, index: int, pcm: "array[int]") -> None:
    file.seek(index * SAMPLE_BYTES)
    file.write(to_native_order(pcm).tobytes())


def _copy(source: BinaryIO, out: BinaryIO, size: int) -> None:
    while size > 0 and (chunk := source.read(min(size, _COPY_BYTES))):
        out.write(chunk)
        size -= len(chunk)


def _decode_clips(plan: MergePlan, base: Path, pool: Executor) -> list[DecodedAudio | None]:
    """Decode the audio of every segment into files named after `base`; None if it has none."""
    formats: dict[tuple[object, ...], list[int]] = {}
    for index, segment in enumerate(plan.segments):
        if segment.probe.sound is not None:
            formats.setdefault(segment.probe.sound, []).append(index)
    results: dict[int, DecodedAudio] = {}
    for number, indexes in enumerate(formats.values()):
        target = base.with_name(f"{base.stem}_format_{number}.pcm")
        try:
            clips = [plan.segments[index].probe for index in indexes]
            results |= zip(indexes, _decode_group(clips, target), strict=True)
        except (MediaError, NotConcatenable) as error:
            # Decoding these clips one by one is more tolerant.
            logger.info("Audio cannot be decoded in one run", extra={"detail": str(error)})
            target.unlink(missing_ok=True)
    remaining = [
        index
        for index, segment in enumerate(plan.segments)
        if segment.probe.has_sound and index not in results
    ]
    targets = [base.with_name(f"{base.stem}_{index:03d}.pcm") for index in remaining]
    decoded = pool.map(partial(_decode_clip, plan), remaining, targets)
    results |= zip(remaining, decoded, strict=True)
    return [results.get(index) for index in range(len(plan.segments))]


def _decode_group(clips: Sequence[ClipProbe], target: Path) -> list[DecodedAudio]:
    """Decode clips of the same audio format in one run; raises NotConcatenable or MediaError."""
    tracks = [(clip.movie, clip.movie.audio) for clip in clips if clip.movie and clip.movie.audio]
    config = aac.AdtsHeader.of(tracks[0][1].entry.config)
    packets, clip_audio = list[Packet](), list[DecodedAudio]()
    with closing(AacCodec(config, target.parent)) as coder:
        for movie, track in tracks:
            packets.append(coder.silence())
            # When the clip's timeline begins, in seconds of the decoded file.
            begin = Fraction(len(packets) * AAC_SAMPLES, config.sample_rate) - track.first_time
            times = (movie.video.first_time, track.start, track.end)
            bounds = (round((begin + time) * RATE) for time in times)
            clip_audio.append(DecodedAudio(target, *bounds))
            locations = zip(track.samples.offsets, track.samples.sizes, strict=True)
            packets += (Packet(movie.path, offset, size) for offset, size in locations)
        packets.append(coder.silence())
        stereo = downmix.to_stereo(coder.channel_layout)
        filters = f"aresample={RATE},{stereo},aformat=sample_fmts=s16"
        coder.decode_file(packets, target, filters)
    expected = Fraction(len(packets) * AAC_SAMPLES * RATE, config.sample_rate)
    if abs(target.stat().st_size / SAMPLE_BYTES - expected) > _LENGTH_TOLERANCE:
        raise NotConcatenable("has audio whose decoded length differs from its index")
    return clip_audio


def _decode_clip(plan: MergePlan, index: int, target: Path) -> DecodedAudio:
    """Decode the audio of one clip, from its first frame on."""
    segment = plan.segments[index]
    clip, stream = segment.probe, ffmpeg.audio_stream(segment.probe.path)
    begin = ffmpeg.inspect(clip.path).start if clip.start is None else clip.start
    count = samples(plan, segment.frames) + 1
    filters = (
        f"asetpts=PTS-{float(begin):.9f}/TB,aresample={RATE}:async=1:first_pts=0,"
        f"{downmix.to_stereo(stream.layout)},aformat=sample_fmts=s16,atrim=end_sample={count}"
    )
    ffmpeg.run(
        [
            *ffmpeg.source(clip.path),
            "-map",
            f"0:{stream.index}",
            "-af",
            filters,
            "-f",
            "s16le",
            "-c:a",
            "pcm_s16le",
            "-y",
            str(target),
        ],
        timeout=_TIMEOUT_SECONDS,
    )
    return DecodedAudio(target, 0, 0, target.stat().st_size // SAMPLE_BYTES)
