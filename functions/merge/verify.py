"""Holding a finished file against its plan. What ffmpeg, or this program, reports is no proof.

Of a file whose pictures were copied, the index is read anew, by the same reader that distrusts
foreign files: number, rate and order of the pictures, the length of the sound, the index in front.
Through it the first and the last picture of every scene are compared, byte by byte, with the clip
that they came from. Nothing between is decoded again: each clip was decoded whole when it was
collected, or just now, and its bytes are the same. Only where clips of different encoders stand in
one track, the first picture of each scene is decoded, since that depends on the new index.
"""

from collections.abc import Sequence
from pathlib import Path

from common.domain.errors import MediaError
from common.media import ffmpeg
from common.media.mp4 import movie
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.concat import Concatenation
from common.media.mp4.movie import AAC_SAMPLES, Movie
from merge.timeline import MergePlan

SOUND_SECONDS = 0.025  # what sound may be longer or shorter than the pictures
_WEBM_SECONDS = 0.002  # WebM counts in milliseconds
_KEYS_SECONDS = 120


def mp4(path: Path, plan: MergePlan, pieces: Sequence[Movie], made: Concatenation) -> None:
    """Check a finished MP4; raises MediaError that says what is wrong with it."""
    try:
        found = movie.read(path)
    except NotConcatenable as unreadable:
        raise _wrong(f"it {unreadable}", "merge.index") from unreadable
    if not ffmpeg.starts_at_once(path):
        raise _wrong("its index is not in front", "merge.index")
    pictures = found.pictures
    if len(pictures.samples) != plan.frames:
        raise _wrong(
            f"it has {len(pictures.samples)} pictures instead of {plan.frames}", "merge.incomplete"
        )
    if pictures.rate != plan.rate or list(pictures.shown) != list(made.pictures.shown):
        raise _wrong("its pictures are not shown in the planned order", "merge.time_stamps")
    _compare_bytes(found, pieces)
    if (found.sound is None) != (made.sound is None):
        raise _wrong("its sound is missing", "merge.incomplete")
    if found.sound is not None:
        heard = len(found.sound.samples) * AAC_SAMPLES / found.sound.rate + float(found.sound.first)
        if (
            not -SOUND_SECONDS
            < heard - float(plan.seconds)
            < SOUND_SECONDS + AAC_SAMPLES / found.sound.rate
        ):
            raise _wrong(
                f"it has {heard:.3f} s of sound for {float(plan.seconds):.3f} s of pictures",
                "merge.time_stamps",
            )
    if len({piece.pictures.entry for piece in pieces}) > 1:
        _decode_beginnings(path, pieces, made)


def webm(path: Path, plan: MergePlan, *, has_sound: bool) -> None:
    """Check a finished WebM; raises MediaError that says what is wrong with it."""
    found = ffmpeg.inspect(path)
    if found.frames != plan.frames:
        raise _wrong(f"it has {found.frames} pictures instead of {plan.frames}", "merge.incomplete")
    if abs(found.seconds - float(plan.seconds)) > _WEBM_SECONDS or not found.rising:
        raise _wrong(
            f"it lasts {found.seconds:.3f} s instead of {float(plan.seconds):.3f} s",
            "merge.time_stamps",
        )
    if found.has_sound != has_sound:
        raise _wrong("its sound is missing", "merge.incomplete")


def _compare_bytes(found: Movie, pieces: Sequence[Movie]) -> None:
    samples, place = found.pictures.samples, 0
    with found.path.open("rb") as file:
        for number, piece in enumerate(pieces, 1):
            own = piece.pictures.samples
            with piece.path.open("rb") as clip:
                for index in (0, len(own) - 1):
                    file.seek(samples.offsets[place + index])
                    clip.seek(own.offsets[index])
                    if file.read(samples.sizes[place + index]) != clip.read(own.sizes[index]):
                        raise _wrong(f"its part {number} is not the clip", "merge.incomplete")
            place += len(own)


def _decode_beginnings(path: Path, pieces: Sequence[Movie], made: Concatenation) -> None:
    """Decode the key pictures alone: there must be as many as the clips have."""
    listing = ffmpeg.run(
        [
            *("-xerror", "-skip_frame", "nokey", *ffmpeg.source(path), "-map", "0:V:0"),
            *("-fps_mode", "passthrough", "-f", "framecrc", "-"),
        ],
        timeout=_KEYS_SECONDS,
    )
    decoded = sum(1 for line in listing.splitlines() if line[:1].isdigit())
    if decoded != len(made.pictures.keys):
        raise _wrong(
            f"{decoded} of its {len(made.pictures.keys)} key pictures can be decoded",
            "merge.incomplete",
        )


def _wrong(what: str, code: str) -> MediaError:
    return MediaError(f"The joined video is not right: {what}. Nothing was published.", code=code)
