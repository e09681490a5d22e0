"""Verify a finished file against its plan, independently of the code that wrote it.

The index of an MP4 is parsed again with the parser for untrusted files: number, rate and order of
the frames, duration of the audio, and the position of the index (fast start). Through the new
index, the first and last frame of every scene are compared byte by byte with their segment.

The frames are not decoded again: every clip was decoded as a whole, when it was collected or in
this merge, and its bytes are unchanged. Only if segments from different encoders share a track are
all keyframes decoded, because their decoding depends on the new sample entry.
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

AUDIO_TOLERANCE_SECONDS = 0.025  # difference between the durations of audio and video
_WEBM_TOLERANCE_SECONDS = 0.002  # WebM timestamps are in milliseconds
_DECODE_SECONDS = 120


def mp4(path: Path, plan: MergePlan, segments: Sequence[Movie], planned: Concatenation) -> None:
    """Verify a finished MP4; raises MediaError with the first difference from the plan."""
    try:
        movie_file = movie.read(path)
    except NotConcatenable as error:
        raise _verification_error(f"it {error}", "merge.index") from error
    if not ffmpeg.is_fast_start(path):
        raise _verification_error("its index is not at the beginning", "merge.index")
    video = movie_file.video
    if len(video.samples) != plan.frames:
        raise _verification_error(
            f"it has {len(video.samples)} frames instead of {plan.frames}", "merge.incomplete"
        )
    order, planned_order = video.presentation_order, planned.video.presentation_order
    if video.rate != plan.rate or list(order) != list(planned_order):
        raise _verification_error(
            "its frames are not presented in the planned order", "merge.time_stamps"
        )
    _compare_samples(movie_file, segments)
    audio = movie_file.audio
    if (audio is None) != (planned.audio is None):
        raise _verification_error("its audio is missing", "merge.incomplete")
    if audio is not None:
        packet_seconds = AAC_SAMPLES / audio.sample_rate
        audio_seconds = len(audio.samples) * packet_seconds + float(audio.first_time)
        difference = audio_seconds - float(plan.seconds)
        # The last packet may extend beyond the last frame.
        most = AUDIO_TOLERANCE_SECONDS + packet_seconds
        if not -AUDIO_TOLERANCE_SECONDS < difference < most:
            raise _verification_error(
                f"it has {audio_seconds:.3f} s of audio for {float(plan.seconds):.3f} s of video",
                "merge.time_stamps",
            )
    if len({segment.video.entry for segment in segments}) > 1:
        _decode_keyframes(path, planned)


def webm(path: Path, plan: MergePlan, *, has_sound: bool) -> None:
    """Verify a finished WebM; raises MediaError with the first difference from the plan."""
    info = ffmpeg.inspect(path)
    if info.frames != plan.frames:
        raise _verification_error(
            f"it has {info.frames} frames instead of {plan.frames}", "merge.incomplete"
        )
    difference = abs(info.seconds - float(plan.seconds))
    if difference > _WEBM_TOLERANCE_SECONDS or not info.has_increasing_dts:
        raise _verification_error(
            f"it lasts {info.seconds:.3f} s instead of {float(plan.seconds):.3f} s",
            "merge.time_stamps",
        )
    if info.has_sound != has_sound:
        raise _verification_error("its audio is missing", "merge.incomplete")


def _compare_samples(movie_file: Movie, segments: Sequence[Movie]) -> None:
    """Compare the first and last frame of each segment with its bytes in the merged file."""
    samples, first = movie_file.video.samples, 0
    with movie_file.path.open("rb") as file:
        for number, segment in enumerate(segments, 1):
            original = segment.video.samples
            with segment.path.open("rb") as clip:
                for position in (0, len(original) - 1):
                    file.seek(samples.offsets[first + position])
                    clip.seek(original.offsets[position])
                    merged = file.read(samples.sizes[first + position])
                    if merged != clip.read(original.sizes[position]):
                        raise _verification_error(
                            f"its segment {number} differs from the clip", "merge.incomplete"
                        )
            first += len(original)


def _decode_keyframes(path: Path, planned: Concatenation) -> None:
    """Decode only the keyframes; raises MediaError unless all of them can be decoded."""
    listing = ffmpeg.run(
        [
            *("-xerror", "-skip_frame", "nokey", *ffmpeg.source(path), "-map", "0:V:0"),
            *("-fps_mode", "passthrough", "-f", "framecrc", "-"),
        ],
        timeout=_DECODE_SECONDS,
    )
    decoded = sum(1 for line in listing.splitlines() if line[:1].isdigit())
    if decoded != len(planned.video.sync_samples):
        raise _verification_error(
            f"{decoded} of its {len(planned.video.sync_samples)} keyframes can be decoded",
            "merge.incomplete",
        )


def _verification_error(problem: str, code: str) -> MediaError:
    return MediaError(
        f"Verification of the merged video failed: {problem}. Nothing was published.", code=code
    )
