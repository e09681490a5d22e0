"""Looking at a clip before anything is made of it: what it holds, and whether it is whole.

A clip that was decoded whole before (when it was collected) is not decoded again. Its index is
read, every picture's bytes are walked through, and their number is held against what was counted.
A clip that nobody has decoded is decoded now.
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

_COPY_SECONDS = 60
_STILL_RATE = Fraction(24)


def probe_clip(scene: int, clip: Clip, scratch: Path) -> ClipProbe:
    """Return what is known of the clip; raises MediaError if it is broken, or not there."""
    if not clip.path.exists():
        raise MediaError("It is not there any more.")
    try:
        found = _by_index(clip, clip.path)
        why = ""
    except NotConcatenable as unreadable:
        found, why = None, f"it {unreadable}"
    if found is None:
        if clip.frames is None:
            listed = ffmpeg.decode(clip.path)
        else:
            listed = ffmpeg.inspect(clip.path)
            if listed.frames != clip.frames:
                # The packets are no proof: some cannot be decoded if the clip was trimmed.
                listed = ffmpeg.decode(clip.path)
            _same_count(listed.frames, clip.frames)
        found = _rewrapped(scene, clip, listed, scratch)
        if found is None:
            return _by_listing(scene, clip, listed, why)
    return _by_movie(scene, clip, found)


def probe_still(scene: int, still: Path, seconds: float) -> ClipProbe:
    """Return what is known of the picture that is held in the place of a broken clip."""
    look = ffmpeg.look(still_image.source(still))
    return ClipProbe(
        scene=scene,
        path=still,
        size=(look.width, look.height),
        rate=_STILL_RATE,
        seconds=Fraction(seconds).limit_denominator(1000),
        is_still=True,
    )


def _by_index(clip: Clip, path: Path) -> Movie:
    try:
        found = movie.read(path)
    except movie.SeveralTracks:
        found = movie.read(path, ffmpeg.streams(path).ids)
    pictures = found.pictures
    entry = pictures.entry
    ffmpeg.within_limits(entry.width, entry.height, len(pictures.samples), float(pictures.seconds))
    nal.check(found, holes=clip.frames is None)
    if clip.frames is None:
        ffmpeg.decode(path)
    else:
        _same_count(len(pictures.samples), clip.frames)
    return found


def _same_count(found: int, counted: int) -> None:
    if found != counted:
        raise MediaError(f"It has {found} pictures; {counted} were counted when it was collected.")


def _rewrapped(scene: int, clip: Clip, listed: ffmpeg.MediaInfo, scratch: Path) -> Movie | None:
    """Return the clip in a plain MP4 without encoding it, if that makes it one that can be joined.

    It does for fragments and QuickTime files.
    """
    is_plain = listed.codec == "h264" and listed.steady and not listed.trimmed
    if demuxers.demuxer(clip.path) != "mov" or not is_plain:
        return None
    target = scratch / f"plain_{scene:03d}.mp4"
    how = (*ffmpeg.streams(clip.path).maps(), "-c", "copy", "-map_metadata", "-1")
    try:
        ffmpeg.run(
            [*ffmpeg.source(clip.path), *how, "-f", "mp4", "-y", str(target)],
            timeout=_COPY_SECONDS,
        )
        found = movie.read(target)
        nal.check(found, holes=False)
    except (MediaError, NotConcatenable):
        target.unlink(missing_ok=True)
        return None
    return found if len(found.pictures.samples) == listed.frames else None


def _by_movie(scene: int, clip: Clip, found: Movie) -> ClipProbe:
    pictures = found.pictures
    aspect = pictures.entry.pixel_aspect
    is_h264 = pictures.entry.avc is not None
    return ClipProbe(
        scene=scene,
        path=clip.path,
        size=_square((pictures.entry.width, pictures.entry.height), aspect),
        rate=pictures.rate,
        seconds=pictures.seconds,
        movie=found,
        why="" if is_h264 else f"its codec is {pictures.entry.codec.decode('latin-1')}, not H.264",
        square=aspect == 1,
        has_sound=found.sound is not None,
        sound=audio_track.kind(found.sound) if found.sound else None,
    )


def _by_listing(scene: int, clip: Clip, listed: ffmpeg.MediaInfo, why: str) -> ClipProbe:
    look = ffmpeg.look_at(clip.path)
    if not listed.rising:
        raise MediaError("Its time stamps do not rise.")
    seconds = Fraction(listed.seconds).limit_denominator(1_000_000)
    if listed.steady:
        rate = steady_rate(listed.frames, seconds)
    else:
        rate = varying_rate(listed.mean_step, listed.median_step)
    return ClipProbe(
        scene=scene,
        path=clip.path,
        size=_square((look.width, look.height), look.sample_aspect),
        rate=rate,
        # A container that counts in milliseconds says the length only roughly.
        seconds=listed.frames / rate if listed.steady else seconds,
        why="it was trimmed without encoding it anew" if listed.trimmed else why,
        square=look.sample_aspect == 1,
        has_sound=listed.has_sound,
        start=listed.start,
    )


def _square(size: Size, aspect: Fraction) -> Size:
    """Return the size at which a picture is shown: as wide as its pixels make it."""
    return size if aspect == 1 else (round(size[0] * aspect / 2) * 2, size[1])
