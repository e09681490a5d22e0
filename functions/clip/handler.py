"""States StartClip, CheckClip and CollectClip: a picture becomes a clip.

The provider's job is started, asked after, and collected in three calls; between them the state
machine waits, not a Lambda. Who cancels a video calls it too, to cancel the job.
"""

from pathlib import Path
from typing import Any, Literal

from common import ffmpeg, providers
from common.database import Cursor, budget, jobs, runs, scenes, videos
from common.database.jobs import Attempt, Step
from common.database.scenes import Clip
from common.database.videos import Video
from common.errors import (
    MediaError,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
    TransientError,
)
from common.generation import charge, context, database, folder, ledger, store
from common.mp4 import movie, nal
from common.mp4.boxes import Unreadable
from common.paid import Facts
from common.providers import (
    ClipRequest,
    JobRef,
    JobState,
    JobStatus,
    Retry,
    Trace,
    VideoProvider,
    models,
)
from common.scratch import scratch
from common.step import SceneEvent, step
from common.styles import mood
from common.video import RATIOS, Cost, Picture, Stage

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
# Providers round a clip's length to whole pictures, at their own frame rate.
_LENGTH_TOLERANCE_SECONDS = 0.25
_GONE, _HIDDEN = "provider.job_gone", "provider.job_hidden"


class ClipEvent(SceneEvent):
    """Input of the three states, and of canceling."""

    action: Literal["start", "check", "collect", "cancel"]
    version: int | None = None  # of the clip; by itself that which the run makes


@step(Stage.CLIP, ClipEvent, database, submits=True)
def _start(event: ClipEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        frame = scenes.finished_frames(cursor, event.video_id).get(event.scene)
        clip = scenes.clip(cursor, event.video_id, event.scene, _version(cursor, event))
        scenes.start(cursor, "clip", event.video_id, event.scene, clip.version)
        open_job = jobs.latest(cursor, _step(event, clip))
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    if open_job and (open_job.state == "submitted" or _is_there_after_all(event, video, open_job)):
        # Of an earlier run over this video: the job is paid for, and is asked after.
        return _answer(JobStatus.QUEUED, _job(open_job)[1].wait_seconds)
    if frame is None or frame.image_key is None:
        raise PermanentError("The scene has no picture to animate.", code="clip.no_picture")
    image_key, prompt = frame.image_key, clip.optimized_prompt or frame.motion_prompt
    ratio, seconds = _form(video, clip)
    picture = _fitted(Picture(store().get(image_key)), ratio)
    model = models.find("video", video.video_provider, video.video_model)
    provider = _provider(video)

    def wish(token: str) -> ClipRequest:
        return ClipRequest(
            image=picture,
            image_key=image_key,
            prompt=prompt,
            ratio=ratio,
            seconds=seconds,
            scene=event.scene,
            mood=mood(video.mood),
            model=video.video_model,
            # Made anew, it is another clip.
            seed=video.seed + clip.version - 1,
            client_token=token,
        )

    def make(token: str) -> Facts:
        return provider.submit(wish(token)).as_json()

    def trace(attempt: Attempt) -> Trace:
        return provider.trace(wish(attempt.token), attempt.age_seconds)

    def record(cursor: Cursor, attempt: Attempt, facts: Facts) -> None:
        jobs.submitted(cursor, attempt, dict(facts))

    usd = model.clip_usd(seconds)
    cost = charge(event.run_id, video, _step(event, clip), model, usd, _LEASE_SECONDS)
    ledger().pay(cost, make, record, trace)
    with database().transaction() as cursor:
        too_late = runs.wants_jobs_canceled(cursor, event.run_id)
    if too_late:  # canceled while the call was made
        _cancel_job(event)
    _, _, attempt = _load(event)
    return _answer(JobStatus.QUEUED, _job(attempt)[1].wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _check(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = _load(event)
    if clip.status == "succeeded":
        return _answer(JobStatus.SUCCEEDED, 0)
    attempt, job = _job(attempt)
    state = _provider(video).poll(job)
    grown = round(state.wait_seconds * _POLL_GROWTH**attempt.polls)
    wait_seconds = min(grown, _LONGEST_WAIT_SECONDS)
    with database().transaction() as cursor:
        hold_seconds = None if state.status in _ENDED else wait_seconds + _SLOT_GRACE_SECONDS
        jobs.count_poll(cursor, attempt, hold_seconds)
    if state.status in (JobStatus.FAILED, JobStatus.CANCELED):
        raise _failed(event, attempt, state)
    if state.status is not JobStatus.SUCCEEDED and attempt.polls + 1 >= MAX_POLLS:
        state = _provider(video).cancel(job)
        if state.status is not JobStatus.SUCCEEDED:
            raise _too_late(event, attempt, state)
    return _answer(state.status, wait_seconds)


@step(Stage.CLIP, ClipEvent, database)
def _collect(event: ClipEvent) -> dict[str, Any]:
    video, clip, attempt = _load(event)
    if clip.status != "succeeded":
        attempt, job = _job(attempt)
        # Asked once more, because links to the result expire.
        state = _provider(video).poll(job)
        if state.status not in _ENDED:  # for a moment, for CheckClip has seen it
            raise TransientError("The provider does not show the finished clip.", code=_HIDDEN)
        if state.status is not JobStatus.SUCCEEDED:
            raise _failed(event, attempt, state)
        _keep(event, video, clip, attempt, state)
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


def _provider(video: Video) -> VideoProvider:
    return providers.video_provider(video.video_provider, context())


def _step(event: ClipEvent, clip: Clip) -> Step:
    return Step(event.video_id, "clip", event.scene, clip.version)


def _cancel_job(event: ClipEvent) -> JobStatus | None:
    """Cancel the scene's job, if one is under way; a clip that is finished already is kept."""
    video, clip, attempt = _load(event)
    if attempt is None or attempt.state != "submitted":
        return None
    job = _job(attempt)[1]
    state = _provider(video).cancel(job)
    if state.status is JobStatus.SUCCEEDED:
        _keep(event, video, clip, attempt, state)
    elif state.status in (JobStatus.CANCELED, JobStatus.FAILED):
        # What a canceled job cost is not always said; then it counts with its estimate.
        unsaid = job.estimated if state.status is JobStatus.CANCELED else None
        with database().transaction() as cursor:
            jobs.ended(cursor, attempt, "failed", "clip.canceled", state.cost or unsaid)
            budget.settle_late(cursor, event.run_id)
            runs.add_event(cursor, event.run_id, "clip.canceled", event.scene)
    return state.status


def _keep(event: ClipEvent, video: Video, clip: Clip, attempt: Attempt, state: JobState) -> None:
    """Download the finished clip, verify it, store it and settle its job."""
    key, job = folder(video).clip(event.scene, clip.version), _job(attempt)[1]
    with scratch("clip") as room:
        path = room / "clip.mp4"
        frames = _bring(path, event, video, clip, attempt, state)
        store().put_file(key, path, "video/mp4")
    cost = state.cost or job.estimated
    with database().transaction() as cursor:
        jobs.succeeded(cursor, attempt, cost)
        scenes.finish_clip(
            cursor, event.video_id, event.scene, clip.version,
            key=key, frames=frames, usd=cost.usd,
        )  # fmt: skip
        budget.settle_late(cursor, event.run_id)
        runs.add_event(cursor, event.run_id, "clip.succeeded", event.scene)


def _version(cursor: Cursor, event: ClipEvent) -> int | None:
    return event.version or runs.work(cursor, event.run_id).versions.get(event.scene)


def _form(video: Video, clip: Clip) -> tuple[str, int]:
    """Ratio and seconds of the clip."""
    return clip.ratio or video.ratio, clip.clip_seconds or video.clip_seconds


def _load(event: ClipEvent) -> tuple[Video, Clip, Attempt | None]:
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clip = scenes.clip(cursor, event.video_id, event.scene, _version(cursor, event))
        return video, clip, jobs.latest(cursor, _step(event, clip))


def _job(attempt: Attempt | None) -> tuple[Attempt, JobRef]:
    if attempt is None or attempt.job is None:
        raise PermanentError("The clip was never started.", code="clip.not_started")
    return attempt, JobRef.from_json(attempt.job)


def _is_there_after_all(event: ClipEvent, video: Video, attempt: Attempt) -> bool:
    """Ask once more after a job whose outcome is in doubt; what it says now settles the attempt."""
    if attempt.state != "unknown" or attempt.job is None:
        return False
    state = _provider(video).poll(_job(attempt)[1])
    if state.status is JobStatus.SUCCEEDED:
        with database().transaction() as cursor:
            jobs.submitted(cursor, attempt, attempt.job)
        return True
    if state.failure and state.failure.code != _GONE:
        _end(event, attempt, state.cost, state.failure.code)
    return False


def _bring(
    path: Path, event: ClipEvent, video: Video, clip: Clip, attempt: Attempt, state: JobState
) -> int:
    """Download the clip, decode all of it, and return its number of pictures.

    One that is lost, broken or not what was ordered is downloaded once more, which is free. If it
    is no better it ends its job, so that a resumed video orders another one; raises MediaError.
    """
    for is_last in (False, True):
        try:
            _provider(video).fetch(_job(attempt)[1], state, path)
            facts = ffmpeg.decode(path)
            _look_for_holes(path)
            _compare(facts, clip.clip_number, _form(video, clip)[1])
            return facts.frames
        except MediaError as error:
            if is_last:
                cost = state.cost or _job(attempt)[1].estimated
                _end(event, attempt, cost, error.error_code)
                error.billed = True
                raise
    raise AssertionError("the second download returns or raises")


def _fitted(picture: Picture, ratio: str) -> Picture:
    # Imported here: Pillow would be part of every cold start, also of those that only ask.
    from common import pictures

    return pictures.fit(picture, RATIOS[ratio])


def _look_for_holes(path: Path) -> None:
    """Find damage that a decoder hides, where the clip is an H.264 MP4; raises MediaError."""
    try:
        nal.check(movie.read(path), holes=True)
    except Unreadable:
        return  # another kind of file, of which decoding it must be enough


def _compare(facts: ffmpeg.Facts, scene: int, seconds: int) -> None:
    """Hold a clip to the length that was ordered; one of another size is fitted in by the merge."""
    if abs(facts.seconds - seconds) > _LENGTH_TOLERANCE_SECONDS:
        raise MediaError(f"The clip of scene {scene} lasts {facts.seconds:.2f} s, not {seconds} s.")


def _failed(event: ClipEvent, attempt: Attempt, state: JobState) -> PermanentError:
    failure = state.failure
    code = failure.code if failure else "clip.not_finished"
    if failure and code == _GONE:
        return _in_doubt(event, attempt, code, failure.detail)
    _end(event, attempt, state.cost, code)
    return ProviderRefused(
        failure.detail if failure else "The provider's job ended without a clip.",
        code=code,
        billed=None if state.cost is None else bool(state.cost.usd),
        retryable=bool(failure and failure.retry in (Retry.SAME, Retry.LATER)),
    )


def _too_late(event: ClipEvent, attempt: Attempt, state: JobState) -> PermanentError:
    code = "clip.timeout"
    if state.status not in (JobStatus.FAILED, JobStatus.CANCELED):
        detail = "The provider did not finish the clip in time, and the job could not be canceled."
        return _in_doubt(event, attempt, code, detail)
    _end(event, attempt, state.cost, code)
    return ProviderRefused(
        "The provider did not finish the clip in time; the job was canceled there.",
        code=code,
        billed=None if state.cost is None else bool(state.cost.usd),
    )


def _in_doubt(event: ClipEvent, attempt: Attempt, code: str, detail: str) -> OutcomeUnknown:
    """The job was accepted, and may have been charged: no other one is ordered by itself."""
    with database().transaction() as cursor:
        jobs.ended(cursor, attempt, "unknown", code)
        budget.settle_late(cursor, event.run_id)
    return OutcomeUnknown(
        f"{detail} A resumed video asks for it once more before anything else; another clip is "
        "ordered only under the policy on_unknown = resubmit_once.",
        code=code,
        retryable=True,
    )


def _end(event: ClipEvent, attempt: Attempt, cost: Cost | None, code: str) -> None:
    with database().transaction() as cursor:
        jobs.ended(cursor, attempt, "failed", code, cost)
        budget.settle_late(cursor, event.run_id)
