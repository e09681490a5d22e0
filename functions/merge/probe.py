"""Probe clips before they are merged: their format, and whether they are complete.

The clip function decodes every clip that it collects. Such a clip is not decoded again: its index
is parsed, the NAL units of every frame are checked, and the number of frames is compared with the
number counted then. Any other clip is decoded.
"""

from fractions import Fraction
from pathlib import Path

from common.domain.errors import MediaError
from common.domain.output import Size
from common.media import demuxers, ffmpeg
from common.media.mp4 import audio_track, movie, nal
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie
from merge import still_image
from merge.models import Clip
from merge.timeline import ClipProbe, steady_rate, varying_rate

_REMUX_SECONDS = 60
_STILL_RATE = Fraction(24)


def probe_clip(scene: int, clip: Clip, scratch: Path) -> ClipProbe:
    """Probe a clip; raises MediaError if it is broken or missing."""
    if not clip.path.exists():
        raise MediaError("It no longer exists.")
    try:
        parsed = _read_index(clip, clip.path)
        why = ""
    except NotConcatenable as error:
        parsed, why = None, f"it {error}"
    if parsed is None:
        if clip.frames is None:
            info = ffmpeg.decode(clip.path)
        else:
            info = ffmpeg.inspect(clip.path)
            if info.frames != clip.frames:
                # Packets can differ from frames: a trimmed clip has some that cannot be decoded.
                info = ffmpeg.decode(clip.path)
            _require_frame_count(info.frames, clip.frames)
        parsed = _remux(scene, clip, info, scratch)
        if parsed is None:
            return _probe_from_packets(scene, clip, info, why)
    return _probe_from_index(scene, clip, parsed)


def probe_still(scene: int, still: Path, seconds: float) -> ClipProbe:
    """Probe the still image that replaces a broken clip for `seconds`."""
    frame_format = ffmpeg.read_frame_format(still_image.source(still))
    return ClipProbe(
        scene=scene,
        path=still,
        size=(frame_format.width, frame_format.height),
        rate=_STILL_RATE,
        seconds=Fraction(seconds).limit_denominator(1000),
        is_still=True,
    )


def _read_index(clip: Clip, path: Path) -> Movie:
    try:
        parsed = movie.read(path)
    except movie.MultipleTracks:
        parsed = movie.read(path, ffmpeg.streams(path).ids)
    video = parsed.video
    entry = video.entry
    ffmpeg.within_limits(entry.width, entry.height, len(video.samples), float(video.seconds))
    nal.check(parsed, holes=clip.frames is None)
    if clip.frames is None:
        ffmpeg.decode(path)
    else:
        _require_frame_count(len(video.samples), clip.frames)
    return parsed


def _require_frame_count(frames: int, expected: int) -> None:
    if frames != expected:
        raise MediaError(f"It has {frames} frames; {expected} were counted when it was collected.")


def _remux(scene: int, clip: Clip, info: ffmpeg.MediaInfo, scratch: Path) -> Movie | None:
    """Remux a clip into a plain MP4; return None if that does not make it concatenable.

    This is the case for fragmented MP4 and for QuickTime files.
    """
    is_remuxable = info.codec == "h264" and info.is_constant_rate and not info.trimmed
    if demuxers.demuxer(clip.path) != "mov" or not is_remuxable:
        return None
    target = scratch / f"plain_{scene:03d}.mp4"
    options = (*ffmpeg.streams(clip.path).maps(), "-c", "copy", "-map_metadata", "-1")
    try:
        ffmpeg.run(
            [*ffmpeg.source(clip.path), *options, "-f", "mp4", "-y", str(target)],
            timeout=_REMUX_SECONDS,
        )
        parsed = movie.read(target)
        nal.check(parsed, holes=False)
    except (MediaError, NotConcatenable):
        target.unlink(missing_ok=True)
        return None
    return parsed if len(parsed.video.samples) == info.frames else None


def _probe_from_index(scene: int, clip: Clip, parsed: Movie) -> ClipProbe:
    video = parsed.video
    aspect = video.entry.pixel_aspect
    is_h264 = video.entry.avc is not None
    return ClipProbe(
        scene=scene,
        path=clip.path,
        size=_square_pixel_size((video.entry.width, video.entry.height), aspect),
        rate=video.rate,
        seconds=video.seconds,
        movie=parsed,
        why="" if is_h264 else f"its codec is {video.entry.codec.decode('latin-1')}, not H.264",
        has_square_pixels=aspect == 1,
        has_sound=parsed.audio is not None,
        sound=audio_track.audio_format(parsed.audio) if parsed.audio else None,
    )


def _probe_from_packets(scene: int, clip: Clip, info: ffmpeg.MediaInfo, why: str) -> ClipProbe:
    frame_format = ffmpeg.probe_frame_format(clip.path)
    if not info.has_increasing_dts:
        raise MediaError("Its timestamps do not increase.")
    seconds = Fraction(info.seconds).limit_denominator(1_000_000)
    if info.is_constant_rate:
        rate = steady_rate(info.frames, seconds)
    else:
        rate = varying_rate(info.mean_frame_seconds, info.median_frame_seconds)
    return ClipProbe(
        scene=scene,
        path=clip.path,
        size=_square_pixel_size(
            (frame_format.width, frame_format.height), frame_format.sample_aspect
        ),
        rate=rate,
        # The duration of containers with millisecond timestamps is imprecise.
        seconds=info.frames / rate if info.is_constant_rate else seconds,
        why="it was trimmed without re-encoding" if info.trimmed else why,
        has_square_pixels=frame_format.sample_aspect == 1,
        has_sound=info.has_sound,
        start=info.start,
    )


def _square_pixel_size(size: Size, aspect: Fraction) -> Size:
    """Return the size of a frame after scaling its width to square pixels."""
    return size if aspect == 1 else (round(size[0] * aspect / 2) * 2, size[1])
