"""A finished clip is downloaded, looked through, stored and settled."""

from pathlib import Path

from clip.job import ClipEvent, clip_format, job_of, provider_of
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
from common.runtime import database, folder, store

# Providers round a clip's length to whole pictures, at their own frame rate.
_LENGTH_TOLERANCE_SECONDS = 0.25


def collect(event: ClipEvent, video: Video, clip: Clip, attempt: Attempt, state: JobState) -> None:
    """Download the finished clip, verify it, store it and settle its job.

    Raises MediaError or TransientError; the job stays as it is.
    """
    key, job = folder(video).clip(event.scene, clip.version), job_of(attempt)[1]
    if state.cost:  # known from now on, whatever becomes of the download
        with database().transaction() as cursor:
            attempts.record_charge(cursor, attempt, state.cost)
    with scratch("clip") as room:
        path = room / "clip.mp4"
        facts = _bring(path, video, clip, job, state)
        store().put_file(key, path, demuxers.video_type(path, facts.codecs))
    cost = state.cost or job.estimated
    with database().transaction() as cursor:
        attempts.mark_succeeded(cursor, attempt, cost)
        polls.mark_collected(cursor, attempt)
        scenes.finish_clip(
            cursor,
            event.video_id,
            event.scene,
            clip.version,
            key=key,
            frames=facts.frames,
            usd=cost.usd,
            size=(facts.width, facts.height),
            seconds=facts.seconds,
            has_sound=facts.has_sound,
        )
        budget.settle_late(cursor, event.run_id)
        runs.add_event(cursor, event.run_id, "clip.succeeded", event.scene)


def _bring(path: Path, video: Video, clip: Clip, job: JobRef, state: JobState) -> ffmpeg.MediaInfo:
    """Download the clip, decode all of it, and return what it holds.

    Raises MediaError for one that is lost, broken or not what was ordered. Downloading it once more
    is free, and may bring a whole one.
    """
    try:
        provider_of(job).fetch(job, state, path)
        facts = ffmpeg.decode(path)
        _look_for_holes(path)
        _compare(facts, clip.clip_number, clip_format(video, clip)[1])
    except MediaError as error:
        error.billed = True
        raise
    return facts


def _look_for_holes(path: Path) -> None:
    """Find damage that a decoder hides, where the clip is an H.264 MP4; raises MediaError."""
    try:
        nal.check(movie.read(path), holes=True)
    except NotConcatenable:
        return  # another kind of file, of which decoding it must be enough


def _compare(facts: ffmpeg.MediaInfo, scene: int, seconds: int) -> None:
    """Hold a clip to the length that was ordered; one of another size is fitted in by the merge."""
    if abs(facts.seconds - seconds) > _LENGTH_TOLERANCE_SECONDS:
        raise MediaError(f"The clip of scene {scene} lasts {facts.seconds:.2f} s, not {seconds} s.")
