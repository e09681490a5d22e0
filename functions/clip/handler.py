"""States StartClip, CheckClip and CollectClip: a picture becomes a clip.

The provider's job is started, asked after, and collected in three calls; between them the state
machine waits, not a Lambda. Who cancels a video calls it too, to cancel the job.
"""

from typing import Any

from clip import ending, keeping
from clip.work import ClipEvent, form, job_of, load, ordered_by, provider_of, step_of, version_of
from common.database import Cursor, budget, jobs, runs, scenes, videos
from common.database.jobs import Attempt
from common.errors import (
    PermanentError,
    TransientError,
)
from common.generation import charge, database, ledger, store
from common.paid import Facts
from common.providers import (
    ClipRequest,
    JobStatus,
    Trace,
    models,
)
from common.step import step
from common.styles import mood
from common.video import RATIOS, Picture, Stage

# An execution's history holds 25,000 events. Waiting grows by a fifth with every poll, so that 22
# polls last at least 25 minutes, and 60 scenes stay within the history (tests/infra).
MAX_POLLS = 22
_POLL_GROWTH = 1.2
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
        scenes.start(cursor, "clip", event.video_id, event.scene, clip.version)
        open_job = jobs.latest(cursor, step_of(event, clip))
        failed = jobs.failed(cursor, step_of(event, clip))
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    if open_job and (
        open_job.state == "submitted"
        or ending.is_there_after_all(event, ordered_by(video, open_job), open_job)
    ):
        # Of an earlier run over this video: the job is paid for, and is asked after.
        return _answer(JobStatus.QUEUED, job_of(open_job)[1].wait_seconds)
    if frame is None or frame.image_key is None:
        raise PermanentError("The scene has no picture to animate.", code="clip.no_picture")
    image_key, prompt = frame.image_key, clip.optimized_prompt or frame.motion_prompt
    ratio, seconds = form(video, clip)
    picture = _fitted(Picture(store().get(image_key)), ratio)
    model = models.find("video", video.video_provider, video.video_model)
    provider = provider_of(video)

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

    def make(token: str) -> Facts:
        return provider.submit(wish(token)).as_json()

    def trace(attempt: Attempt) -> Trace:
        if attempt.provider != video.video_provider:  # another one was chosen since
            return Trace()
        return provider.trace(wish(attempt.token, attempt.attempt), attempt.age_seconds)

    def record(cursor: Cursor, attempt: Attempt, facts: Facts) -> None:
        jobs.submitted(cursor, attempt, dict(facts))

    usd = model.clip_usd(seconds)
    cost = charge(event.run_id, video, step_of(event, clip), model, usd, _LEASE_SECONDS)
    ledger().pay(cost, make, record, trace)
    with database().transaction() as cursor:
        too_late = runs.wants_jobs_canceled(cursor, event.run_id)
    if too_late:  # canceled while the call was made
        _cancel_job(event)
    _, _, attempt = load(event)
    return _answer(JobStatus.QUEUED, job_of(attempt)[1].wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _check(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    attempt, job = job_of(attempt)
    state = provider_of(video).poll(job)
    grown = round(state.wait_seconds * _POLL_GROWTH**attempt.polls)
    wait_seconds = min(grown, _LONGEST_WAIT_SECONDS)
    with database().transaction() as cursor:
        hold_seconds = None if state.status in _ENDED else wait_seconds + _SLOT_GRACE_SECONDS
        jobs.count_poll(cursor, attempt, hold_seconds)
        if state.status is JobStatus.SUCCEEDED and state.cost:
            jobs.charged(cursor, attempt, state.cost)
    if state.status in (JobStatus.FAILED, JobStatus.CANCELED):
        raise ending.failed(event, attempt, state)
    if state.status is not JobStatus.SUCCEEDED and attempt.polls + 1 >= MAX_POLLS:
        state = provider_of(video).cancel(job)
        if state.status is not JobStatus.SUCCEEDED:
            raise ending.too_late(event, attempt, state)
    return _answer(state.status, wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _collect(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = load(event)
    if clip.status != "succeeded":
        attempt, job = job_of(attempt)
        # Asked once more, because links to the result expire.
        state = provider_of(video).poll(job)
        if state.status not in _ENDED:  # for a moment, for CheckClip has seen it
            raise TransientError("The provider does not show the finished clip.", code=_HIDDEN)
        if state.status is not JobStatus.SUCCEEDED:
            raise ending.failed(event, attempt, state)
        keeping.keep(event, video, clip, attempt, state)
    return {
        "status": JobStatus.SUCCEEDED,
        "provider": video.video_provider,
        "model": video.video_model,
    }


@step(None, ClipEvent, database)
def _cancel(event: ClipEvent) -> dict[str, Any]:
    return {"status": _cancel_job(event)}


_ACTIONS = {"start": _start, "check": _check, "collect": _collect, "cancel": _cancel}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Do the state's action; every one of them may be repeated."""
    return _ACTIONS[event["action"]](event, lambda_context)


def _answer(status: JobStatus, wait_seconds: int) -> dict[str, Any]:
    return {"status": status.value, "wait_seconds": wait_seconds}


def _cancel_job(event: ClipEvent) -> JobStatus | None:
    """Cancel the scene's job, if one is under way; a clip that is finished already is kept."""
    video, clip, attempt = load(event)
    if attempt is None or attempt.state != "submitted":
        return None
    job = job_of(attempt)[1]
    state = provider_of(video).cancel(job)
    if state.status is JobStatus.SUCCEEDED:
        keeping.keep(event, video, clip, attempt, state)
    elif state.status in (JobStatus.CANCELED, JobStatus.FAILED):
        # What a canceled job cost is not always said; then it counts with its estimate.
        unsaid = job.estimated if state.status is JobStatus.CANCELED else None
        with database().transaction() as cursor:
            jobs.ended(cursor, attempt, "failed", "clip.canceled", state.cost or unsaid)
            budget.settle_late(cursor, event.run_id)
            runs.add_event(cursor, event.run_id, "clip.canceled", event.scene)
    return state.status


def _fitted(picture: Picture, ratio: str) -> Picture:
    # Imported here: Pillow would be part of every cold start, also of those that only ask.
    from common import pictures

    return pictures.fit(picture, RATIOS[ratio])
