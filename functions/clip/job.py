"""The input of the function's actions, and the clip with its latest job."""

from dataclasses import replace
from typing import Literal

from common import providers
from common.application.generation import provider_context, services
from common.application.pipeline_step import SceneEvent
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.scenes import Clip
from common.database.videos import Video
from common.domain.errors import PermanentError
from common.providers import JobRef, VideoProvider

# The history of a Step Functions execution holds 25,000 events. The wait grows by a quarter with
# every poll, so 19 polls take about 25 minutes, and 60 scenes fit in the history (tests/infra). The
# polls of all attempts of a run count together.
MAX_POLLS = 19
MAX_COLLECTIONS = 10
"""Most downloads of a finished clip in a run. The waits between them take 11 minutes in total."""


class ClipEvent(SceneEvent):
    """Input of the states StartClip, CheckClip and CollectClip, of a cancellation and a recovery.

    `version` is the version of the clip; None selects the version that the run makes.
    """

    action: Literal["start", "check", "collect", "cancel", "recover"]
    version: int | None = None


def provider_of(job: JobRef) -> VideoProvider:
    """Return the provider of the job, which may differ from the video's after a resume."""
    return providers.video_provider(job.provider, provider_context())


def step_of(event: ClipEvent, clip: Clip) -> Step:
    """Return the ledger key of the clip."""
    return Step(event.video_id, "clip", event.scene, clip.version)


def version_of(cursor: Cursor, event: ClipEvent) -> int | None:
    """Return the version of the clip that the run makes; None if the scene has no clip."""
    return (
        event.version
        or runs.work(cursor, event.run_id).versions.get(event.scene)
        or scenes.current_version(cursor, "clip", event.video_id, event.scene)
    )


def clip_format(video: Video, clip: Clip) -> tuple[str, int]:
    """Return the clip's ratio and its duration in seconds."""
    return clip.ratio or video.ratio, clip.clip_seconds or video.clip_seconds


def load(event: ClipEvent) -> tuple[Video, Clip, Attempt | None]:
    """Return the video, the clip and its newest attempt, or None if there is no attempt."""
    with services().database.transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clip = scenes.clip(cursor, event.video_id, event.scene, version_of(cursor, event))
        attempt = attempts.latest(cursor, step_of(event, clip))
        return with_job_model(video, attempt), clip, attempt


def with_job_model(video: Video, attempt: Attempt | None) -> Video:
    """Return the video with the provider and model of its job.

    A resume may have changed those of the video since the job was submitted.
    """
    if attempt is None or attempt.job is None:
        return video
    job = JobRef.from_json(attempt.job)
    return replace(video, video_provider=job.provider, video_model=job.model)


def job_of(attempt: Attempt | None) -> tuple[Attempt, JobRef]:
    """Return the attempt with its job; raises PermanentError if no job was started."""
    if attempt is None or attempt.job is None:
        raise PermanentError("The clip has no job at its provider.", code="clip.not_started")
    return attempt, JobRef.from_json(attempt.job)
