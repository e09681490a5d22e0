"""The collection of a finished clip: download, verify, store, settle."""

from pathlib import Path

from clip.job import ClipEvent, clip_format, job_of, provider_of
from common.application.generation import media_folder, services
from common.database import attempts, budget, polls, runs, scenes
from common.database.attempts import Attempt
from common.database.scenes import Clip
from common.database.videos import Video
from common.domain.errors import MediaError
from common.media import demuxers, ffmpeg
from common.media.mp4 import movie, nal
from common.media.mp4.boxes import NotConcatenable
from common.media.scratch import scratch
from common.providers import JobRef, JobState

# Providers round a clip's duration to whole frames, at their own frame rate.
_DURATION_TOLERANCE_SECONDS = 0.25


def collect(event: ClipEvent, video: Video, clip: Clip, attempt: Attempt, state: JobState) -> None:
    """Download the finished clip, verify it, store it and settle its job.

    Raises MediaError or TransientError; then the job's attempt stays open.
    """
    key, job = media_folder(video).clip(event.scene, clip.version), job_of(attempt)[1]
    if state.cost:  # recorded first, because the download may fail
        with services().database.transaction() as cursor:
            attempts.record_charge(cursor, attempt, state.cost)
    with scratch("clip") as directory:
        path = directory / "clip.mp4"
        info = _download(path, video, clip, job, state)
        services().store.put_file(key, path, demuxers.video_type(path, info.codecs))
    cost = state.cost or job.estimated
    with services().database.transaction() as cursor:
        attempts.mark_succeeded(cursor, attempt, cost)
        polls.mark_collected(cursor, attempt)
        scenes.finish_clip(
            cursor,
            event.video_id,
            event.scene,
            clip.version,
            key=key,
            frames=info.frames,
            usd=cost.usd,
            size=(info.width, info.height),
            seconds=info.seconds,
            has_sound=info.has_sound,
        )
        budget.settle_late(cursor, event.run_id)
        runs.add_event(cursor, event.run_id, "clip.succeeded", event.scene)


def _download(
    path: Path, video: Video, clip: Clip, job: JobRef, state: JobState
) -> ffmpeg.MediaInfo:
    """Download the clip, decode all of it, and return its properties.

    Raises MediaError if the clip is lost, broken or of another duration than requested. Another
    download is free and may return an intact file.
    """
    try:
        provider_of(job).fetch(job, state, path)
        info = ffmpeg.decode(path)
        _check_samples(path)
        _check_duration(info, clip.clip_number, clip_format(video, clip)[1])
    except MediaError as error:
        error.billed = True
        raise
    return info


def _check_samples(path: Path) -> None:
    """Raise MediaError for damage that decoders conceal, if the clip is an H.264 MP4."""
    try:
        nal.check(movie.read(path), holes=True)
    except NotConcatenable:
        return  # for any other format, decoding is the only check


def _check_duration(info: ffmpeg.MediaInfo, scene: int, seconds: int) -> None:
    """Raise MediaError if the clip does not have the requested duration.

    The frame size is not checked, because the merge scales clips.
    """
    if abs(info.seconds - seconds) > _DURATION_TOLERANCE_SECONDS:
        raise MediaError(f"The clip of scene {scene} lasts {info.seconds:.2f} s, not {seconds} s.")
