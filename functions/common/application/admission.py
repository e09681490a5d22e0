"""Admission: a wish becomes a stored video with a run, or is refused and leaves nothing behind.

`check` decides all that can be known without storing anything, `keep` stores within the caller's
transaction, `start` starts what was committed. `create` is the three for one video.
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

OWN_IDS = "vid_"


@dataclass(frozen=True, slots=True)
class AdmittedVideo:
    """A wish that was found good: the row that it becomes, its run, the picture to be stored."""

    row: VideoRecord
    run_id: str
    picture: EncodedImage | None


@dataclass(frozen=True, slots=True)
class ResumedVideo:
    """A video that is gone on with, and what its new run makes."""

    video_id: str
    work: RunTarget


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """One part of a video that is to be made: the work, and what it will cost at most.

    `request` is what the answer repeats; `scenes` how many the video has, and `output` what it
    shall be like, if the request says so.
    """

    work: RunTarget
    usd: Decimal
    request: Mapping[str, Any]
    scenes: int | None = None
    output: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The way in for every video, with what it works on."""

    settings: AdmissionSettings
    database: Database
    store: MediaStore

    def create(self, caller: Caller, wish: CreateVideoRequest) -> str:
        """Admit a video and start its run; return the video's id."""
        order = self.check(caller, wish)
        with self.database.transaction() as cursor:
            self.keep(cursor, caller, order)
        self.start(order.run_id, order.row.session_id)
        return order.row.session_id

    def resume(
        self, cursor: Cursor, caller: Caller, video_id: str, run_id: str, terms: ResumeVideoRequest
    ) -> ResumedVideo:
        """Store a new run that makes what is missing of a video, with its cost reserved.

        It goes on toward the finished video where one was ordered, whatever run was the last.
        Raises Conflict for a video that is being made or lacks nothing, InvalidInput for changes
        that it cannot take, and BudgetExceeded.
        """
        row = videos.lock(cursor, caller.user_id, video_id)
        if row is None:
            raise NotFound("There is no such video.")
        work, request = _undone(cursor, row.session_id)
        choice = models_of(row)
        if terms.models is not None:
            choice = change_models(self.settings, self.provider_keys(), caller, row, terms.models)
        row = _changed(row, terms, choice)
        _only_free(caller, choice)
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        again = row.on_unknown == "resubmit_once"
        if work.scope is RunScope.ALL:
            row = replace(row, frame_count=videos.scene_count(cursor, row.session_id))
        work = scene_changes.apply(cursor, row, terms, work, again=again)
        estimate = remaining_work.estimate_remaining(cursor, row, work, choice, again=again)
        _check_own_limit(cursor, row, estimate.missing_usd)
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

    def choice(self, caller: Caller, wish: CreateVideoRequest) -> ModelSelection:
        """Return the models that make the video; raises InvalidInput for what cannot be made."""
        style(wish.style), mood(wish.mood)
        merge_estimate.check(
            Merge(wish.output.to_output(), RATIOS[wish.ratio], wish.scenes, float(wish.seconds))
        )
        if wish.output.music:
            with self.database.transaction() as cursor:
                music.find(cursor, wish.output.music, caller.user_id)
        return select_models(self.settings, self.provider_keys(), caller, wish)

    def provider_keys(self) -> Mapping[str, str]:
        """The keys of the providers that are set."""
        return secrets.read(self.settings.providers_secret_arn)

    def check(
        self,
        caller: Caller,
        wish: CreateVideoRequest,
        new_id: Callable[[str], str] = ids.new,
        picture: EncodedImage | None = None,
    ) -> AdmittedVideo:
        """Hold the wish against styles, models and its own limit, and read its picture.

        `picture` is one that came beside the wish, and is clean already.
        """
        choice = self.choice(caller, wish)
        if wish.requestId and wish.requestId.startswith(OWN_IDS):
            raise InvalidInput(
                f"A name may not begin with {OWN_IDS}, as the ids that are given here.",
                field="requestId",
            )
        picture = self._picture(caller, wish) or picture
        folder = MediaFolder(caller.user_id, new_id("vid"))
        reference_key = folder.reference(1) if picture else None
        row = _row(caller, wish, choice, folder.video_id, reference_key)
        if row.max_cost_usd is not None and row.estimated_usd > row.max_cost_usd:
            raise _over_own_limit(row.estimated_usd, row.max_cost_usd)
        return AdmittedVideo(row, new_id("run"), picture)

    def _picture(self, caller: Caller, wish: CreateVideoRequest) -> EncodedImage | None:
        if not wish.has_picture:
            return None
        # Imported here: what reads pictures and URLs is only needed for requests with one.
        from common.application.image_inputs import ImageInputs

        references = ImageInputs(self.database, self.store, self.settings.media_bucket)
        return references.resolve(caller.user_id, wish)

    def keep(self, cursor: Cursor, caller: Caller, order: AdmittedVideo) -> None:
        """Store the video and its run, with its cost reserved.

        Raises TooManyRequests when the key has its runs already, and BudgetExceeded.
        """
        row = order.row
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        if row.estimated_usd:
            budget.reserve(cursor, self._caps(caller), row.estimated_usd)
        if not videos.insert(cursor, row):
            raise Conflict(
                f"There is a video named {row.request_id} already. Nothing was stored.",
                code="video.exists",
                field="requestId",
            )
        runs.insert(
            cursor,
            order.run_id,
            row.session_id,
            "create",
            row.estimated_usd,
            key_id=caller.key_id,
        )
        if order.picture and row.reference_key:
            # Before the commit: a video without its picture must not exist.
            self.store.put(row.reference_key, order.picture.data, order.picture.media_type)
        metrics.add_metric("VideosAccepted", MetricUnit.Count, 1)

    def persist_step(
        self, cursor: Cursor, caller: Caller, video: VideoRecord, run_id: str, plan: ResumePlan
    ) -> None:
        """Store a run that makes one part of a video, with its cost reserved.

        Raises Conflict while the whole of it is being made, or a cut that shall be like something
        else, and what `keep` raises.
        """
        if runs.is_making(cursor, video.session_id, RunScope.ALL):
            raise Conflict(
                "The whole video is being made. Wait for its end, or cancel it.",
                code="video.running",
            )
        is_other = plan.output not in (None, video.output)
        if is_other and runs.is_making(cursor, video.session_id, RunScope.MERGE, RunScope.VIDEO):
            raise Conflict(
                "Its clips are being joined to another output. Wait for the end.",
                code="video.running",
            )
        _only_free(caller, models_of(video))
        _check_own_limit(cursor, video, plan.usd)
        limits.admit_run(cursor, caller.key_id, caller.max_runs)
        if plan.usd:
            budget.reserve(cursor, self._caps(caller), plan.usd)
        videos.begin_part(cursor, video.session_id, plan.usd, plan.scenes, plan.output)
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
        """Start a run that was committed."""
        try:
            executions.start(self.settings.state_machine_arn, run_id, video_id, work)
        except TransientError as error:
            # Accepted is accepted: the sweeper starts it within minutes.
            logger.warning("run not started", extra={"run_id": run_id, "code": error.error_code})

    def _caps(self, caller: Caller) -> Caps:
        return Caps(
            key_id=caller.key_id,
            daily=caller.daily_cap_usd,
            monthly=caller.monthly_cap_usd,
            all_daily=self.settings.daily_cap_usd,
        )


def _undone(cursor: Cursor, video_id: str) -> tuple[RunTarget, Mapping[str, Any]]:
    """Return what a resume has to make; raises Conflict if that is nothing, or is being made."""
    video_status.refresh(cursor, video_id)
    video = videos.get(cursor, video_id)
    if video.status not in TERMINAL:
        raise Conflict(
            f"The video is being made; it is {video.status}. Wait for its end, or cancel it.",
            code="video.not_failed",
        )
    left = runs.left_undone(cursor, video_id)
    if left is None:
        raise Conflict(
            f"The video lacks nothing that was ordered; it is {video.status}. To make a scene "
            "anew, use /api/generate_single_image or /api/generate_single_video_clip, and then "
            "/api/merge_video_clips.",
            code="video.not_failed",
        )
    return left


def _changed(row: VideoRecord, terms: ResumeVideoRequest, choice: ModelSelection) -> VideoRecord:
    """Return the video under other terms."""
    named: dict[str, Any] = {
        "on_unknown": terms.on_unknown,
        "max_cost_usd": terms.max_cost,
        "original_prompt": terms.prompt,
        "seed": terms.seed,
    }
    return replace(row, **_models(choice), **{k: v for k, v in named.items() if v is not None})


def _models(choice: ModelSelection) -> dict[str, Any]:
    """Return the columns that name the models of a video."""
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


def _only_free(caller: Caller, choice: ModelSelection) -> None:
    """Keep a test key from the paid models that a video was begun with."""
    if not caller.live and choice.is_paid:
        raise Forbidden("A test key cannot go on with a video of paid models.", code="key.test")


def _row(
    caller: Caller,
    wish: CreateVideoRequest,
    choice: ModelSelection,
    video_id: str,
    reference_key: str | None,
) -> VideoRecord:
    return VideoRecord(
        session_id=video_id,
        user_id=caller.user_id,
        original_prompt=wish.prompt,
        frame_count=wish.scenes,
        clip_seconds=wish.seconds,
        ratio=wish.ratio,
        style=style(wish.style).name,
        mood=mood(wish.mood).name,
        seed=randbits(32) if wish.seed is None else wish.seed,
        reference_key=reference_key,
        **_models(choice),
        estimated_usd=choice.estimate_usd(
            scenes=wish.scenes,
            seconds=wish.seconds,
            ratio=wish.ratio,
            reference=reference_key is not None,
        ),
        key_id=caller.key_id,
        max_cost_usd=wish.max_cost,
        on_unknown=wish.on_unknown,
        metadata=wish.metadata,
        request_id=wish.requestId,
        output=wish.output.model_dump(mode="json", exclude_defaults=True),
    )


def _check_own_limit(cursor: Cursor, video: VideoRecord, usd: Decimal) -> None:
    """Refuse a run that would pass the video's own limit; what costs nothing always may run."""
    limit = video.max_cost_usd
    if limit is None or not usd:
        return
    committed = budget.committed_usd(cursor, video.session_id)
    if committed + usd > limit:
        raise BudgetExceeded(
            f"The video has cost {committed:.4f} USD, and this would cost about {usd:.4f} USD "
            f"more; its max_cost is {limit:.4f} USD. Nothing was stored. Resume it with a higher "
            "max_cost.",
            field="max_cost",
            allowed={"remaining_usd": f"{max(limit - committed, Decimal(0)):.6f}"},
        )


def _over_own_limit(estimated: Decimal, limit: Decimal) -> BudgetExceeded:
    return BudgetExceeded(
        f"This would cost about {estimated:.4f} USD, more than max_cost. Nothing was stored.",
        field="max_cost",
        allowed={"remaining_usd": f"{limit:.6f}"},
    )
