"""States StartClip, CheckClip and CollectClip: a picture becomes a clip.

The provider's job is started, asked after, and collected in three calls; between them the state
machine waits, not a Lambda. Asking and collecting are free, so they are repeated for a long time
before a clip that is paid is given up. Who cancels a video calls it too, to cancel the job, and so
does the sweeper, to collect jobs that ended runs left behind.
"""

import time
from dataclasses import replace
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
from common.application.pipeline_step import step, whole_seconds
from common.database import Cursor, attempts, budget, polls, runs, scenes, videos
from common.database.attempts import Attempt
from common.domain import models
from common.domain.errors import MediaError, PermanentError, TransientError, VideoError
from common.domain.styles import mood
from common.domain.video import RATIOS, EncodedImage, Stage
from common.providers import ClipRequest, JobState, JobStatus, Reconciliation
from common.runtime import charge, context, database, ledger, store

_POLL_GROWTH = 1.26
_LONGEST_WAIT_SECONDS = 300
# The function is stopped after 350 s at the latest.
_LEASE_SECONDS = 360
# What nobody asks after for so long beyond the time set is not waited for by others.
_SLOT_GRACE_SECONDS = 120
_ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED)
_HIDDEN = "provider.job_hidden"


@step(Stage.CLIP, ClipEvent, database, submits=True)
def _start(event: ClipEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        frame = scenes.finished_frames(cursor, event.video_id).get(event.scene)
        clip = scenes.clip(cursor, event.video_id, event.scene, version_of(cursor, event))
        # The job before the scene, in the order in which those that collect it hold them.
        open_job = attempts.latest(cursor, step_of(event, clip))
        scenes.start(cursor, "clip", event.video_id, event.scene, clip.version)
        failed = attempts.failed(cursor, step_of(event, clip))
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    # A job of an earlier run over this video is paid for.
    adopted = adoption.adopt(event, video, clip, open_job) if open_job else None
    if adopted:
        return _answer(adopted.status, adopted.wait_seconds)
    if frame is None or frame.image_key is None:
        raise PermanentError("The scene has no picture to animate.", code="clip.no_picture")
    image_key, prompt = frame.image_key, clip.optimized_prompt or frame.motion_prompt
    ratio, seconds = clip_format(video, clip)
    picture = _fitted(EncodedImage(store().get(image_key)), ratio)
    model = models.find("video", video.video_provider, video.video_model)
    provider = providers.video_provider(video.video_provider, context())

    def wish(token: str, number: int | None = None) -> ClipRequest:
        return ClipRequest(
            image=picture,
            image_key=image_key,
            prompt=prompt,
            ratio=ratio,
            seconds=seconds,
            scene=event.scene,
            mood=mood(video.mood),
            model=video.video_model,
            # Made anew, it is another clip: the same one would fail or displease again.
            seed=video.seed + clip.version - 1 + sum(number is None or n < number for n in failed),
            client_token=token,
        )

    def make(token: str) -> CallResult:
        return provider.submit(wish(token)).as_json()

    def trace(attempt: Attempt) -> Reconciliation:
        # Asked where it was ordered: a resume may have chosen another model since.
        ordered = replace(wish(attempt.token, attempt.attempt), model=attempt.model)
        ordered_from = providers.video_provider(attempt.provider, context())
        return ordered_from.reconcile(ordered, attempt.age_seconds)

    def record(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_submitted(cursor, attempt, dict(facts))

    usd = model.clip_usd(seconds)
    cost = charge(event.run_id, video, step_of(event, clip), model, usd, _LEASE_SECONDS)
    ledger().execute(cost, make, record, trace)
    with database().transaction() as cursor:
        too_late = runs.wants_jobs_canceled(cursor, event.run_id)
    if too_late:  # canceled while the call was made
        _cancel_job(event)
    _, _, attempt = load(event)
    return _answer(JobStatus.QUEUED, job_of(attempt)[1].wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _check(event: ClipEvent) -> dict[str, Any]:
    _, clip, attempt = load(event)
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    attempt, job = job_of(attempt)
    silent: TransientError | None = None
    try:
        state = polling.poll(attempt, job)
    except TransientError as error:
        # The job goes on, whether its provider answers or not.
        state, silent = polling.unanswered(job, error), error
    with database().transaction() as cursor:
        asked = polls.of_run(cursor, step_of(event, clip), event.run_id)
        wait_seconds = _wait_seconds(state, silent, asked)
        hold_seconds = None if state.status in _ENDED else wait_seconds + _SLOT_GRACE_SECONDS
        attempts.count_poll(cursor, attempt, hold_seconds)
        if state.status is JobStatus.SUCCEEDED and state.cost:
            attempts.record_charge(cursor, attempt, state.cost)
    if state.status in (JobStatus.FAILED, JobStatus.CANCELED):
        wait_seconds = failure.failed(event, clip, attempt, state)
        return {"status": "waiting", "wait_seconds": whole_seconds(wait_seconds)}
    if state.status is not JobStatus.SUCCEEDED and asked + 1 >= MAX_POLLS:
        if silent:
            raise failure.unreachable(silent)
        raise failure.too_late(event, attempt, provider_of(job).cancel(job, state))
    return _answer(state.status, wait_seconds)


def _wait_seconds(state: JobState, silent: TransientError | None, asked: int) -> int:
    """Return when to ask again: later each time, unless the provider itself says when."""
    if silent and silent.retry_after:
        return state.wait_seconds
    return min(round(state.wait_seconds * _POLL_GROWTH**asked), _LONGEST_WAIT_SECONDS)


@step(Stage.CLIP, ClipEvent, database)
def _collect(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if clip.status != "succeeded":
        attempt, job = job_of(attempt)
        try:
            # The links that CheckClip was told. If they lead nowhere, another poll names new ones.
            state = polling.finished(attempt) or polling.poll(attempt, job)
            if state.status not in _ENDED:  # for a moment, for CheckClip has seen it
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
    """Return what to raise when a finished clip was not to be had: the state machine tries again.

    Only after the last try, and only for what is wrong with the clip itself, its job is ended: then
    a resumed video tries once more, and orders another.
    """
    with database().transaction() as cursor:
        tried = polls.count_failed_collection(cursor, attempt)
    if tried < MAX_COLLECTIONS:
        return TransientError(error.detail, code=error.error_code)
    if error.error_code == failure.GONE:
        return failure.in_doubt(event, attempt, failure.GONE, error.detail)
    if isinstance(error, TransientError):
        return failure.unreachable(error)
    failure.end(event, attempt, job_of(attempt)[1].estimated, error.error_code)
    return MediaError(
        f"{error.detail} A resumed video asks for it once more, which is free, and then orders "
        "another one.",
        code=error.error_code,
        billed=True,
        retryable=True,
    )


@step(None, ClipEvent, database)
def _cancel(event: ClipEvent) -> dict[str, Any]:
    return {"status": _cancel_job(event)}


@step(None, ClipEvent, database)
def _recover(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if attempt is None:
        return {"status": None}
    try:
        return {"status": adoption.recover(event, video, clip, attempt)}
    finally:
        with database().transaction() as cursor:
            polls.release(cursor, attempt)


_ACTIONS = {
    "start": _start,
    "check": _check,
    "collect": _collect,
    "cancel": _cancel,
    "recover": _recover,
}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Do the state's action; every one of them may be repeated."""
    return _ACTIONS[event["action"]](event, lambda_context)


def _answer(status: JobStatus, wait_seconds: int) -> dict[str, Any]:
    return {"status": status.value, "wait_seconds": whole_seconds(wait_seconds)}


def _cancel_job(event: ClipEvent) -> JobStatus | None:
    """Cancel the scene's job where that saves its cost; a clip that is finished already is kept.

    A job that is billed anyway is left at work. The sweeper collects it, or a resumed video does.
    """
    video, clip, attempt = load(event)
    if attempt is None or attempt.state != "submitted" or attempt.collector_seconds:
        return None
    job = job_of(attempt)[1]
    time.sleep(polling.pause_seconds(attempt, job))
    with database().transaction() as cursor:
        now = attempts.latest(cursor, step_of(event, clip))
        if now is None or now.id != attempt.id or now.state != "submitted":
            return None
        if now.run_id and runs.is_open(cursor, now.run_id):
            return None  # adopted by a run that began after the cancellation
    state = polling.poll(attempt, job)
    if state.status is JobStatus.SUCCEEDED:
        collection.collect(event, video, clip, attempt, state)
        return state.status
    if state.failure and state.failure.code == failure.GONE:
        return state.status
    if state.status not in _ENDED:
        state = provider_of(job).cancel(job, state)
    with database().transaction() as cursor:
        if state.status in (JobStatus.CANCELED, JobStatus.FAILED):
            # What a canceled job cost is not always said; then it counts with its estimate.
            unsaid = job.estimated if state.status is JobStatus.CANCELED else None
            attempts.mark_ended(cursor, attempt, "failed", "clip.canceled", state.cost or unsaid)
            budget.settle_late(cursor, event.run_id)
            runs.add_event(cursor, event.run_id, "clip.canceled", event.scene)
        else:
            runs.add_event(cursor, event.run_id, "clip.left_at_work", event.scene)
    return state.status


def _fitted(picture: EncodedImage, ratio: str) -> EncodedImage:
    # Imported here: Pillow would be part of every cold start, also of those that only ask.
    from common.media import images

    return images.fit(picture, RATIOS[ratio])
