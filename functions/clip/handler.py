"""Lambda function `clip`: the states StartClip, CheckClip and CollectClip.

Its actions submit, poll and collect the provider's job. Between them the state machine waits, not a
Lambda function. Polling and collecting are free, so they are repeated for a long time before a paid
clip is given up. A cancellation of a video invokes the function too, to cancel the job, and so does
the sweeper, to collect jobs that ended runs left open.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from clip import adoption, collection, failure, polling
from clip.job import (
    MAX_COLLECTIONS,
    MAX_POLLS,
    ClipEvent,
    clip_format,
    job_of,
    load,
    provider_of,
    step_of,
    version_of,
)
from common import providers
from common.application.billing.paid_calls import CallResult
from common.application.generation import JobStep, provider_context, services
from common.application.pipeline_step import step, whole_seconds
from common.database import Cursor, attempts, budget, polls, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.scenes import Clip, SceneImage
from common.domain import models
from common.domain.errors import MediaError, PermanentError, TransientError, VideoError
from common.domain.models import Model
from common.domain.styles import mood
from common.domain.video import RATIOS, EncodedImage, Stage
from common.providers import ClipRequest, JobState, JobStatus, Reconciliation, VideoProvider

_POLL_BACKOFF = 1.26
_LONGEST_WAIT_SECONDS = 300
# A job that is not polled for this long after its next poll was due loses its provider slot.
_SLOT_GRACE_SECONDS = 120
_ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED)
_HIDDEN = "provider.job_hidden"


@step(Stage.CLIP, ClipEvent, services, submits=True)
def _start(event: ClipEvent) -> dict[str, Any]:
    with services().database.transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        frame = scenes.finished_images(cursor, event.video_id).get(event.scene)
        clip = scenes.clip(cursor, event.video_id, event.scene, version_of(cursor, event))
        # Lock the attempt before the scene, like the collection does, to avoid a deadlock.
        latest = attempts.latest(cursor, step_of(event, clip))
        scenes.start(cursor, "clip", event.video_id, event.scene, clip.version)
        failed_attempts = attempts.failed_attempts(cursor, step_of(event, clip))
    if clip.status == "succeeded":
        return _result(JobStatus.SUCCEEDED, 0)
    # A job of an earlier run of this video is paid for.
    adopted = adoption.adopt(event, video, clip, latest) if latest else None
    if adopted:
        return _result(adopted.status, adopted.wait_seconds)
    if frame is None or frame.image_key is None:
        raise PermanentError("The scene has no image to animate.", code="clip.no_picture")
    StartClip(event, video, clip, frame, failed_attempts).execute()
    with services().database.transaction() as cursor:
        is_canceled = runs.wants_jobs_canceled(cursor, event.run_id)
    if is_canceled:  # during the call, so the cancellation found no job
        _cancel_job(event)
    _, _, attempt = load(event)
    return _result(JobStatus.QUEUED, job_of(attempt)[1].wait_seconds)


@dataclass(frozen=True)
class StartClip(JobStep[ClipEvent]):
    """The submission of a scene's clip; `failed_attempts` are the numbers of failed attempts."""

    clip: Clip
    frame: SceneImage
    failed_attempts: Sequence[int]

    lease_seconds = 360  # the function times out after 350 s at the latest

    @property
    def step(self) -> Step:
        return step_of(self.event, self.clip)

    @property
    def model(self) -> Model:
        return models.find("video", self.video.video_provider, self.video.video_model)

    @property
    def usd(self) -> Decimal:
        return self.model.clip_usd(self.request.seconds)

    @cached_property
    def provider(self) -> VideoProvider:
        return providers.video_provider(self.video.video_provider, provider_context())

    @cached_property
    def request(self) -> ClipRequest:
        """The provider's request, without the attempt's token."""
        assert self.frame.image_key is not None
        ratio, seconds = clip_format(self.video, self.clip)
        return ClipRequest(
            image=_fitted(EncodedImage(services().store.get(self.frame.image_key)), ratio),
            image_key=self.frame.image_key,
            prompt=self.clip.optimized_prompt or self.frame.motion_prompt,
            ratio=ratio,
            seconds=seconds,
            scene=self.event.scene,
            mood=mood(self.video.mood),
            model=self.video.video_model,
            # A new version needs another seed, because the same one would make the same clip.
            seed=self.video.seed + self.clip.version - 1,
            client_token="",
        )

    def request_of(self, token: str, number: int | None = None) -> ClipRequest:
        """Return the request of attempt `number`, or of the next attempt.

        Each failed attempt changes the seed, because the same seed would fail again.
        """
        failures = sum(number is None or failure < number for failure in self.failed_attempts)
        return replace(self.request, seed=self.request.seed + failures, client_token=token)

    def perform(self, token: str) -> CallResult:
        return self.provider.submit(self.request_of(token)).as_json()

    def reconcile(self, attempt: Attempt) -> Reconciliation:
        # A resume may have changed the video's model since, so use the attempt's.
        request = replace(self.request_of(attempt.token, attempt.attempt), model=attempt.model)
        provider = providers.video_provider(attempt.provider, provider_context())
        return provider.reconcile(request, attempt.age_seconds)

    def record(self, cursor: Cursor, attempt: Attempt, result: CallResult) -> None:
        attempts.mark_submitted(cursor, attempt, dict(result))


@step(Stage.CLIP, ClipEvent, services)
def _check(event: ClipEvent) -> dict[str, Any]:
    _, clip, attempt = load(event)
    if clip.status == "succeeded":
        return _result(JobStatus.SUCCEEDED, 0)
    attempt, job = job_of(attempt)
    poll_error: TransientError | None = None
    try:
        state = polling.poll(attempt, job)
    except TransientError as error:
        # The job continues even if its provider cannot be reached.
        state, poll_error = polling.unanswered(job, error), error
    with services().database.transaction() as cursor:
        poll_count = polls.poll_count(cursor, step_of(event, clip), event.run_id)
        wait_seconds = _wait_seconds(state, poll_error, poll_count)
        hold_seconds = None if state.status in _ENDED else wait_seconds + _SLOT_GRACE_SECONDS
        attempts.count_poll(cursor, attempt, hold_seconds)
        if state.status is JobStatus.SUCCEEDED and state.cost:
            attempts.record_charge(cursor, attempt, state.cost)
    if state.status in (JobStatus.FAILED, JobStatus.CANCELED):
        wait_seconds = failure.failed(event, clip, attempt, state)
        return {"status": "waiting", "wait_seconds": whole_seconds(wait_seconds)}
    if state.status is not JobStatus.SUCCEEDED and poll_count + 1 >= MAX_POLLS:
        if poll_error:
            raise failure.unreachable(poll_error)
        raise failure.too_late(event, attempt, provider_of(job).cancel(job, state))
    return _result(state.status, wait_seconds)


def _wait_seconds(state: JobState, poll_error: TransientError | None, poll_count: int) -> int:
    """Return the seconds until the next poll: the provider's `retry_after`, or a backoff."""
    if poll_error and poll_error.retry_after:
        return state.wait_seconds
    return min(round(state.wait_seconds * _POLL_BACKOFF**poll_count), _LONGEST_WAIT_SECONDS)


@step(Stage.CLIP, ClipEvent, services)
def _collect(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if clip.status != "succeeded":
        attempt, job = job_of(attempt)
        try:
            # Use the links from the poll of CheckClip. If they fail, another poll renews them.
            state = polling.finished(attempt) or polling.poll(attempt, job)
            if state.status not in _ENDED:  # temporary, because CheckClip saw it finished
                raise TransientError("The provider does not show the finished clip.", code=_HIDDEN)
            if state.status is JobStatus.SUCCEEDED:
                collection.collect(event, video, clip, attempt, state)
            elif state.failure and state.failure.code == failure.GONE:
                raise TransientError(state.failure.detail, code=failure.GONE)
            else:
                failure.failed(event, clip, attempt, state)
        except (MediaError, TransientError) as error:
            raise _not_collected(event, attempt, error) from None
    return {
        "status": JobStatus.SUCCEEDED,
        "provider": video.video_provider,
        "model": video.video_model,
    }


def _not_collected(event: ClipEvent, attempt: Attempt, error: VideoError) -> VideoError:
    """Return the error for a finished clip that could not be collected.

    A TransientError makes the state machine retry. After the last try the attempt is ended only if
    the clip itself is broken. Then a resumed video tries to collect it once, and submits a new job
    if that fails.
    """
    with services().database.transaction() as cursor:
        failed_collections = polls.count_failed_collection(cursor, attempt)
    if failed_collections < MAX_COLLECTIONS:
        return TransientError(error.detail, code=error.error_code)
    if error.error_code == failure.GONE:
        return failure.in_doubt(event, attempt, failure.GONE, error.detail)
    if isinstance(error, TransientError):
        return failure.unreachable(error)
    failure.end(event, attempt, job_of(attempt)[1].estimated, error.error_code)
    return MediaError(
        f"{error.detail} Resume the video to download it again, which is free; if that fails, a "
        "new clip is submitted and charged.",
        code=error.error_code,
        billed=True,
        retryable=True,
    )


@step(None, ClipEvent, services)
def _cancel(event: ClipEvent) -> dict[str, Any]:
    return {"status": _cancel_job(event)}


@step(None, ClipEvent, services)
def _recover(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if attempt is None:
        return {"status": None}
    try:
        return {"status": adoption.recover(event, video, clip, attempt)}
    finally:
        with services().database.transaction() as cursor:
            polls.release(cursor, attempt)


_ACTIONS = {
    "start": _start,
    "check": _check,
    "collect": _collect,
    "cancel": _cancel,
    "recover": _recover,
}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Run the action of the event; all actions are idempotent."""
    return _ACTIONS[event["action"]](event, lambda_context)


def _result(status: JobStatus, wait_seconds: int) -> dict[str, Any]:
    return {"status": status.value, "wait_seconds": whole_seconds(wait_seconds)}


def _cancel_job(event: ClipEvent) -> JobStatus | None:
    """Cancel the scene's job if that saves its cost and return its status.

    A finished job is collected. A job that is billed anyway keeps running, and the sweeper or a
    resumed video collects it. Returns None if there is no job to cancel.
    """
    video, clip, attempt = load(event)
    if attempt is None or attempt.state != "submitted" or attempt.collector_seconds:
        return None
    job = job_of(attempt)[1]
    time.sleep(polling.pause_seconds(attempt, job))
    with services().database.transaction() as cursor:
        latest = attempts.latest(cursor, step_of(event, clip))
        if latest is None or latest.id != attempt.id or latest.state != "submitted":
            return None
        if latest.run_id and runs.is_open(cursor, latest.run_id):
            return None  # adopted by a run that was created after the cancellation
    state = polling.poll(attempt, job)
    if state.status is JobStatus.SUCCEEDED:
        collection.collect(event, video, clip, attempt, state)
        return state.status
    if state.failure and state.failure.code == failure.GONE:
        return state.status
    if state.status not in _ENDED:
        state = provider_of(job).cancel(job, state)
    with services().database.transaction() as cursor:
        if state.status in (JobStatus.CANCELED, JobStatus.FAILED):
            # Not every provider reports the cost of a canceled job; then the estimate counts.
            estimate = job.estimated if state.status is JobStatus.CANCELED else None
            attempts.mark_ended(cursor, attempt, "failed", "clip.canceled", state.cost or estimate)
            budget.settle_late(cursor, event.run_id)
            runs.add_event(cursor, event.run_id, "clip.canceled", event.scene)
        else:
            runs.add_event(cursor, event.run_id, "clip.left_at_work", event.scene)
    return state.status


def _fitted(image: EncodedImage, ratio: str) -> EncodedImage:
    # Imported here, because polls do not need Pillow and would have a longer cold start.
    from common.media import images

    return images.fit(image, RATIOS[ratio])
