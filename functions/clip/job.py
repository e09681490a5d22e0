"""What the actions on a clip share: their input, and the clip with its latest job."""

from dataclasses import replace
from typing import Literal

from common import providers
from common.application.pipeline_step import SceneEvent
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.scenes import Clip
from common.database.videos import Video
from common.domain.errors import PermanentError
from common.providers import JobRef, VideoProvider
from common.runtime import context, database

# An execution's history holds 25,000 events. Waiting grows by a quarter with every poll, so that 19
# polls last about 25 minutes, and 60 scenes stay within the history (tests/infra). The polls of all
# attempts of a run count together.
MAX_POLLS = 19
MAX_COLLECTIONS = 10
"""How often a finished clip is fetched in a run; the state machine waits between, in all 11 min."""


class ClipEvent(SceneEvent):
    """Input of the three states, of canceling, and of collecting what an ended run left behind."""

    action: Literal["start", "check", "collect", "cancel", "recover"]
    version: int | None = None  # of the clip; by itself that which the run makes


def provider_of(job: JobRef) -> VideoProvider:
    """Return the provider that has the job; the video may have another one by now."""
    return providers.video_provider(job.provider, context())


def step_of(event: ClipEvent, clip: Clip) -> Step:
    """Return the step of the ledger that the clip is paid under."""
    return Step(event.video_id, "clip", event.scene, clip.version)


def version_of(cursor: Cursor, event: ClipEvent) -> int | None:
    """Return which version of the clip is made; None if there is no clip in the scene."""
    return (
        event.version
        or runs.work(cursor, event.run_id).versions.get(event.scene)
        or scenes.current_version(cursor, "clip", event.video_id, event.scene)
    )


def clip_format(video: Video, clip: Clip) -> tuple[str, int]:
    """Return ratio and seconds of the clip."""
    return clip.ratio or video.ratio, clip.clip_seconds or video.clip_seconds


def load(event: ClipEvent) -> tuple[Video, Clip, Attempt | None]:
    """Return the video, the clip and its newest attempt, if there is one."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clip = scenes.clip(cursor, event.video_id, event.scene, version_of(cursor, event))
        attempt = attempts.latest(cursor, step_of(event, clip))
        return ordered_by(video, attempt), clip, attempt


def ordered_by(video: Video, attempt: Attempt | None) -> Video:
    """Return the video with the models of its job, which a resume may have changed since."""
    if attempt is None or attempt.job is None:
        return video
    job = JobRef.from_json(attempt.job)
    return replace(video, video_provider=job.provider, video_model=job.model)


def job_of(attempt: Attempt | None) -> tuple[Attempt, JobRef]:
    """Return the attempt with its job; raises PermanentError when none was started."""
    if attempt is None or attempt.job is None:
        raise PermanentError("The clip was never started.", code="clip.not_started")
    return attempt, JobRef.from_json(attempt.job)
