"""States StartClip, CheckClip and CollectClip: a picture becomes a clip.

The provider's job is started, asked after, and collected in three calls; between them the state
machine waits, not a Lambda.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

from common import ffmpeg, paid, providers
from common.database import Database, jobs, runs, scenes, videos
from common.database.jobs import Attempt, Step
from common.database.scenes import Clip
from common.database.videos import Video
from common.errors import MediaError, PermanentError, ProviderRefused
from common.generation import context, settings, store
from common.providers import ClipRequest, JobRef, JobState, JobStatus, Retry, VideoProvider, models
from common.step import SceneEvent, step
from common.storage import MediaFolder
from common.styles import mood
from common.video import FREE, RATIOS, Picture, Stage

# An execution's history holds 25,000 events. Waiting grows by a tenth with every poll, so that 36
# polls last at least 25 minutes, and 60 scenes stay within the history (tests/infra).
MAX_POLLS = 36
_POLL_GROWTH = 1.1
_LONGEST_WAIT_SECONDS = 300
# Providers round a clip's length to whole pictures, at their own frame rate.
_LENGTH_TOLERANCE_SECONDS = 0.25


class ClipEvent(SceneEvent):
    """Input of the three states."""

    action: Literal["start", "check", "collect"]


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@step(Stage.CLIP, ClipEvent, database, submits=True)
def _start(event: ClipEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        frame = scenes.frame(cursor, event.video_id, event.scene)
        clip = scenes.clip(cursor, event.video_id, event.scene)
        scenes.start(cursor, "clip", event.video_id, event.scene, clip.version)
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    if frame.image_key is None:
        raise PermanentError("The scene has no picture to animate.", code="clip.no_picture")
    image_key = frame.image_key
    picture = Picture(store().get(image_key))
    model = models.find("video", video.video_provider, video.video_model)

    def make(token: str) -> JobRef:
        return _provider(video).submit(
            ClipRequest(
                image=picture,
                image_key=image_key,
                prompt=frame.motion_prompt,
                ratio=video.ratio,
                seconds=video.clip_seconds,
                scene=event.scene,
                mood=mood(video.mood),
                model=video.video_model,
                seed=video.seed,
                client_token=token,
            )
        )

    charge = paid.Charge(_step(event, clip), model, model.clip_usd(video.clip_seconds))
    job = paid.submit(database(), charge, make)
    return _answer(JobStatus.QUEUED, job.wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _check(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = _load(event)
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    attempt, job = _job(attempt)
    state = _provider(video).poll(job)
    with database().transaction() as cursor:
        jobs.count_poll(cursor, attempt)
    if state.status in (JobStatus.FAILED, JobStatus.CANCELED):
        raise _failed(attempt, state)
    if state.status is not JobStatus.SUCCEEDED and attempt.polls + 1 >= MAX_POLLS:
        state = _provider(video).cancel(job)
        if state.status is not JobStatus.SUCCEEDED:
            raise _too_late(attempt, state)
    grown = state.wait_seconds * _POLL_GROWTH**attempt.polls
    return _answer(state.status, min(round(grown), _LONGEST_WAIT_SECONDS))


@step(Stage.CLIP, ClipEvent, database)
def _collect(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = _load(event)
    if clip.status != "succeeded":
        attempt, job = _job(attempt)
        # Asked once more, because links to the result expire.
        state = _provider(video).poll(job)
        if state.status is not JobStatus.SUCCEEDED:
            raise _failed(attempt, state)
        key = MediaFolder(video.user_id, video.session_id).clip(event.scene, clip.version)
        with tempfile.TemporaryDirectory(prefix="clip-") as scratch:
            path = Path(scratch) / "clip.mp4"
            _provider(video).fetch(job, state, path)
            frames = _verify(path, video, event.scene)
            store().put_file(key, path, "video/mp4")
        cost = state.cost or job.estimated
        with database().transaction() as cursor:
            jobs.succeeded(cursor, attempt, cost)
            scenes.finish_clip(
                cursor, event.video_id, event.scene, clip.version,
                key=key, frames=frames, usd=cost.usd,
            )  # fmt: skip
            runs.add_event(cursor, event.run_id, "clip.succeeded", event.scene)
    return {
        "status": JobStatus.SUCCEEDED,
        "provider": video.video_provider,
        "model": video.video_model,
    }


_ACTIONS = {"start": _start, "check": _check, "collect": _collect}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Do the state's action; every one of them may be repeated."""
    return _ACTIONS[event["action"]](event, lambda_context)


def _answer(status: JobStatus, wait_seconds: int) -> dict[str, Any]:
    return {"status": status.value, "wait_seconds": wait_seconds}


def _provider(video: Video) -> VideoProvider:
    return providers.video(video.video_provider, context())


def _step(event: ClipEvent, clip: Clip) -> Step:
    return Step(event.video_id, "clip", event.scene, clip.version)


def _load(event: ClipEvent) -> tuple[Video, Clip, Attempt | None]:
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clip = scenes.clip(cursor, event.video_id, event.scene)
        return video, clip, jobs.latest(cursor, _step(event, clip))


def _job(attempt: Attempt | None) -> tuple[Attempt, JobRef]:
    if attempt is None or attempt.job is None:
        raise PermanentError("The clip was never started.", code="clip.not_started")
    return attempt, JobRef.from_json(attempt.job)


def _verify(path: Path, video: Video, scene: int) -> int:
    """Decode the whole clip; return its number of pictures, or raise MediaError."""
    facts = ffmpeg.decode(path)
    width, height = RATIOS[video.ratio]
    if (facts.width, facts.height) != (width, height):
        raise MediaError(
            f"The clip of scene {scene} is {facts.width}x{facts.height}, not {width}x{height}."
        )
    if abs(facts.seconds - video.clip_seconds) > _LENGTH_TOLERANCE_SECONDS:
        raise MediaError(
            f"The clip of scene {scene} lasts {facts.seconds:.2f} s, not {video.clip_seconds} s."
        )
    return facts.frames


def _failed(attempt: Attempt, state: JobState) -> ProviderRefused:
    failure = state.failure
    code = failure.code if failure else "clip.not_finished"
    _end(attempt, state, code)
    return ProviderRefused(
        failure.detail if failure else "The provider's job ended without a clip.",
        code=code,
        billed=bool(state.cost and state.cost.usd),
        retryable=bool(failure and failure.retry in (Retry.SAME, Retry.LATER)),
    )


def _too_late(attempt: Attempt, state: JobState) -> ProviderRefused:
    _end(attempt, state, "clip.timeout")
    return ProviderRefused(
        "The provider did not finish the clip in time; the job was canceled there.",
        code="clip.timeout",
        billed=bool(state.cost and state.cost.usd),
    )


def _end(attempt: Attempt, state: JobState, code: str) -> None:
    with database().transaction() as cursor:
        jobs.ended(cursor, attempt, "failed", code, state.cost or FREE)
