"""Admission: validate a request, store its video and run with a cost reservation, start the run.

`check` validates without storing anything, `keep` stores in the caller's transaction, and `start`
starts the committed run. `create` does all three for one video. A refused request stores nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from secrets import randbits
from typing import Any

from common.application import music, remaining_work, scene_changes
from common.application.model_selection import change_models, models_of, select_models
from common.aws import executions, secrets
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics
from common.database import Cursor, Database, budget, limits, runs, video_status, videos
from common.database.budget import Caps
from common.database.videos import VideoRecord
from common.domain import ids, merge_estimate
from common.domain.caller import Caller
from common.domain.errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    TransientError,
)
from common.domain.merge_estimate import Merge
from common.domain.models import ModelSelection
from common.domain.styles import mood, style
from common.domain.video import RATIOS, TERMINAL, WHOLE, EncodedImage, RunScope, RunTarget
from common.schemas.requests import CreateVideoRequest, ResumeVideoRequest
from common.settings import AdmissionSettings
from common.storage import MediaFolder, MediaStore

GENERATED_ID_PREFIX = "vid_"


@dataclass(frozen=True, slots=True)
class AdmittedVideo:
    """A valid request: the video's row, the id of its run, and the reference image to store."""

    row: VideoRecord
    run_id: str
    image: EncodedImage | None


@dataclass(frozen=True, slots=True)
class ResumedVideo:
    """A resumed video and the target of its new run."""

    video_id: str
    work: RunTarget


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """A run that makes one step of a video, and its estimated cost in US dollars.

    `request` is the part of the request that the response repeats. `scenes` is the video's number
    of scenes and `output` its output settings, if the request sets them.
    """

    work: RunTarget
    usd: Decimal
    request: Mapping[str, Any]
    scenes: int | None = None
    output: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The admission of videos and runs."""

    settings: AdmissionSettings
    database: Database
    store: MediaStore

    def create(self, caller: Caller, request: CreateVideoRequest) -> str:
        """Admit a video and start its run; return the video's id."""
        admitted = self.check(caller, request)
        with self.database.transaction() as cursor:
            self.keep(cursor, caller, admitted)
        self.start(admitted.run_id, admitted.row.session_id)
        return admitted.row.session_id

    def resume(
        self, cursor: Cursor, caller: Caller, video_id: str, run_id: str, terms: ResumeVideoRequest
    ) -> ResumedVideo:
        """Store a new run that makes the missing parts of a video, with a cost reservation.

        If the finished video was ever requested, the run works toward it, even if the last run had
        a smaller scope. Raises NotFound, Conflict if the video is being made or nothing is missing,
        InvalidInput for changes that cannot be applied, and BudgetExceeded.
        """
        row = videos.lock(cursor, caller.user_id, video_id)
        if row is None:
            raise NotFound("The video does not exist.")
        work, request = _unfinished_work(cursor, row.session_id)
        choice = models_of(row)
        if terms.models is not None:
            choice = change_models(self.settings, self.provider_keys(), caller, row, terms.models)
        row = _changed(row, terms, choice)
        _require_live_key(caller, choice)
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        resubmit = row.on_unknown == "resubmit_once"
        if work.scope is RunScope.ALL:
            row = replace(row, frame_count=videos.scene_count(cursor, row.session_id))
        work = scene_changes.apply(cursor, row, terms, work, again=resubmit)
        estimate = remaining_work.estimate_remaining(cursor, row, work, choice, again=resubmit)
        _check_max_cost(cursor, row, estimate.missing_usd)
        videos.update(cursor, replace(row, estimated_usd=estimate.total_usd))
        if estimate.missing_usd:
            budget.reserve(cursor, self._caps(caller), estimate.missing_usd)
        runs.insert(
            cursor,
            run_id,
            row.session_id,
            "resume",
            estimate.missing_usd,
            work,
            request,
            key_id=caller.key_id,
        )
        return ResumedVideo(row.session_id, work)

    def choice(self, caller: Caller, request: CreateVideoRequest) -> ModelSelection:
        """Return the models of the video; raises InvalidInput if it cannot be made."""
        style(request.style), mood(request.mood)
        merge_estimate.check(
            Merge(
                request.output.to_output(),
                RATIOS[request.ratio],
                request.scenes,
                float(request.seconds),
            )
        )
        if request.output.music:
            with self.database.transaction() as cursor:
                music.find(cursor, request.output.music, caller.user_id)
        return select_models(self.settings, self.provider_keys(), caller, request)

    def provider_keys(self) -> Mapping[str, str]:
        """Return the provider keys that are set, by name."""
        return secrets.read(self.settings.providers_secret_arn)

    def check(
        self,
        caller: Caller,
        request: CreateVideoRequest,
        new_id: Callable[[str], str] = ids.new,
        image: EncodedImage | None = None,
    ) -> AdmittedVideo:
        """Validate the request against styles, models and its `max_cost`, and read its image.

        `image` is an image that was sent next to the request and is sanitized already. Raises
        InvalidInput, PayloadTooLarge or BudgetExceeded.
        """
        choice = self.choice(caller, request)
        if request.request_id and request.request_id.startswith(GENERATED_ID_PREFIX):
            raise InvalidInput(
                f"A name cannot begin with {GENERATED_ID_PREFIX}, the prefix of generated ids.",
                field="request_id",
            )
        image = self._reference_image(caller, request) or image
        folder = MediaFolder(caller.user_id, new_id("vid"))
        reference_key = folder.reference(1) if image else None
        row = _row(caller, request, choice, folder.video_id, reference_key)
        if row.max_cost_usd is not None and row.estimated_usd > row.max_cost_usd:
            raise _max_cost_exceeded(row.estimated_usd, row.max_cost_usd)
        return AdmittedVideo(row, new_id("run"), image)

    def _reference_image(self, caller: Caller, request: CreateVideoRequest) -> EncodedImage | None:
        if not request.has_reference_image:
            return None
        # Imported here, for shorter cold starts of requests without an image.
        from common.application.image_inputs import ImageInputs

        inputs = ImageInputs(self.database, self.store, self.settings.media_bucket)
        return inputs.resolve(caller.user_id, request)

    def keep(self, cursor: Cursor, caller: Caller, admitted: AdmittedVideo) -> None:
        """Store the video and its run, with a cost reservation.

        Raises TooManyRequests if the key has its maximum of active runs, BudgetExceeded, and
        Conflict (`video.exists`) if the user has a video of the same name.
        """
        row = admitted.row
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        if row.estimated_usd:
            budget.reserve(cursor, self._caps(caller), row.estimated_usd)
        if not videos.insert(cursor, row):
            raise Conflict(
                f"A video named {row.request_id} exists already. Nothing was stored.",
                code="video.exists",
                field="request_id",
            )
        runs.insert(
            cursor,
            admitted.run_id,
            row.session_id,
            "create",
            row.estimated_usd,
            key_id=caller.key_id,
        )
        if admitted.image and row.reference_key:
            # Before the commit: a video must not exist without its reference image.
            self.store.put(row.reference_key, admitted.image.data, admitted.image.media_type)
        metrics.add_metric("VideosAccepted", MetricUnit.Count, 1)

    def persist_step(
        self, cursor: Cursor, caller: Caller, video: VideoRecord, run_id: str, plan: ResumePlan
    ) -> None:
        """Store a run that makes one step of a video, with a cost reservation.

        Raises Conflict (`video.running`) while a run makes the whole video or merges it with
        another output, TooManyRequests, and BudgetExceeded.
        """
        if runs.is_making(cursor, video.session_id, RunScope.ALL):
            raise Conflict(
                "A run is making the whole video. Wait until it ends, or cancel it. Nothing was "
                "stored.",
                code="video.running",
            )
        is_other = plan.output not in (None, video.output)
        if is_other and runs.is_making(cursor, video.session_id, RunScope.MERGE, RunScope.VIDEO):
            raise Conflict(
                "A run is merging the clips with another output. Wait until it ends. Nothing was "
                "stored.",
                code="video.running",
            )
        _require_live_key(caller, models_of(video))
        _check_max_cost(cursor, video, plan.usd)
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        if plan.usd:
            budget.reserve(cursor, self._caps(caller), plan.usd)
        videos.add_estimate(cursor, video.session_id, plan.usd, plan.scenes, plan.output)
        runs.insert(
            cursor,
            run_id,
            video.session_id,
            "step",
            plan.usd,
            plan.work,
            plan.request,
            key_id=caller.key_id,
        )
        metrics.add_metric("PartsAccepted", MetricUnit.Count, 1)

    def start(self, run_id: str, video_id: str, work: RunTarget = WHOLE) -> None:
        """Start the execution of a committed run."""
        try:
            executions.start(self.settings.state_machine_arn, run_id, video_id, work)
        except TransientError as error:
            # Not an error for the client: the run is committed, the sweeper starts it in minutes.
            logger.warning("run not started", extra={"run_id": run_id, "code": error.error_code})

    def _caps(self, caller: Caller) -> Caps:
        return Caps(
            key_id=caller.key_id,
            daily=caller.daily_cap_usd,
            monthly=caller.monthly_cap_usd,
            all_daily=self.settings.daily_cap_usd,
        )


def _unfinished_work(cursor: Cursor, video_id: str) -> tuple[RunTarget, Mapping[str, Any]]:
    """Return the target and request of a resume.

    Raises Conflict (`video.not_failed`) if nothing is missing or the video is being made.
    """
    video_status.refresh(cursor, video_id)
    video = videos.get(cursor, video_id)
    if video.status not in TERMINAL:
        raise Conflict(
            f"The video is being made (status {video.status}). Wait until it ends, or cancel it.",
            code="video.not_failed",
        )
    unfinished = runs.unfinished_target(cursor, video_id)
    if unfinished is None:
        raise Conflict(
            f"Nothing is missing from the video (status {video.status}). To make a scene again, "
            "use /api/generate_single_image or /api/generate_single_video_clip, and then "
            "/api/merge_video_clips.",
            code="video.not_failed",
        )
    return unfinished


def _changed(row: VideoRecord, terms: ResumeVideoRequest, choice: ModelSelection) -> VideoRecord:
    """Return the video's row with the changes of the resume applied."""
    changes: dict[str, Any] = {
        "on_unknown": terms.on_unknown,
        "max_cost_usd": terms.max_cost,
        "original_prompt": terms.prompt,
        "seed": terms.seed,
    }
    return replace(row, **_models(choice), **{k: v for k, v in changes.items() if v is not None})


def _models(choice: ModelSelection) -> dict[str, Any]:
    """Return the model columns of a video's row."""
    speech = choice.speech
    return {
        "text_provider": choice.text.provider,
        "text_model": choice.text.model,
        "image_provider": choice.image.provider,
        "image_model": choice.image.model,
        "video_provider": choice.video.provider,
        "video_model": choice.video.model,
        "speech_provider": speech.provider if speech else None,
        "speech_model": speech.model if speech else None,
    }


def _require_live_key(caller: Caller, choice: ModelSelection) -> None:
    """Raise Forbidden if a test key would run a video that was created with paid models."""
    if not caller.live and choice.is_paid:
        raise Forbidden("A test key cannot continue a video with paid models.", code="key.test")


def _row(
    caller: Caller,
    request: CreateVideoRequest,
    choice: ModelSelection,
    video_id: str,
    reference_key: str | None,
) -> VideoRecord:
    return VideoRecord(
        session_id=video_id,
        user_id=caller.user_id,
        original_prompt=request.prompt,
        frame_count=request.scenes,
        clip_seconds=request.seconds,
        ratio=request.ratio,
        style=style(request.style).name,
        mood=mood(request.mood).name,
        seed=randbits(32) if request.seed is None else request.seed,
        reference_key=reference_key,
        **_models(choice),
        estimated_usd=choice.estimate_usd(
            scenes=request.scenes,
            seconds=request.seconds,
            ratio=request.ratio,
            reference=reference_key is not None,
        ),
        key_id=caller.key_id,
        max_cost_usd=request.max_cost,
        on_unknown=request.on_unknown,
        metadata=request.metadata,
        request_id=request.request_id,
        output=request.output.model_dump(mode="json", exclude_defaults=True),
    )


def _check_max_cost(cursor: Cursor, video: VideoRecord, usd: Decimal) -> None:
    """Raise BudgetExceeded if the run would exceed the video's `max_cost`; a free run does not."""
    limit = video.max_cost_usd
    if limit is None or not usd:
        return
    committed = budget.committed_usd(cursor, video.session_id)
    if committed + usd > limit:
        raise BudgetExceeded(
            f"The video has cost {committed:.4f} USD, and this run would cost about {usd:.4f} USD "
            f"more; its max_cost is {limit:.4f} USD. Nothing was stored. Resume the video with a "
            "higher max_cost.",
            field="max_cost",
            allowed={"remaining_usd": f"{max(limit - committed, Decimal(0)):.6f}"},
        )


def _max_cost_exceeded(estimated: Decimal, limit: Decimal) -> BudgetExceeded:
    return BudgetExceeded(
        f"The video would cost about {estimated:.4f} USD, more than its max_cost. Nothing was "
        "stored.",
        field="max_cost",
        allowed={"remaining_usd": f"{limit:.6f}"},
    )
