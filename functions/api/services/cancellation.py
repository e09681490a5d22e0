"""Canceling a video: nothing new is started for it, and the answer says what is billed."""

import time
from dataclasses import dataclass
from decimal import Decimal

from api.presenters.costs import money
from api.schemas.cancellation import Billed, Billing, Cancellation, SceneBilling
from api.services.videos import VideoService
from common.application import run_metrics
from common.aws import executions, lambda_invoke
from common.aws.log import logger
from common.database import Database, attempts, runs, videos
from common.database.attempts import Step, StepCharges
from common.database.videos import Video
from common.domain.caller import Caller
from common.domain.errors import Conflict, TransientError
from common.domain.video import Status
from common.settings import ApiSettings

# What the provider has not answered until then is said to be billed perhaps.
_PROVIDER_SECONDS = 15
_PAUSE = 0.3
_WORDS = {"speech": "narration"}  # as the scenes of a video have it


@dataclass(frozen=True, slots=True)
class CancellationService:
    """The use case, with what it works on."""

    settings: ApiSettings
    database: Database
    videos: VideoService

    def cancel(
        self,
        caller: Caller,
        video_id: str,
        address: str,
        *,
        provider: bool,
        seconds_left: float,
    ) -> Cancellation:
        """Cancel the caller's video; raises NotFound, and Conflict for one that has ended.

        `provider`: also its jobs there, where that saves their cost. A clip that is finished by
        then is kept. Canceling again changes nothing, but may add the provider.
        """
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            canceled = runs.cancel(cursor, video.session_id, jobs=provider)
            after = videos.get(cursor, video.session_id)
            if not canceled and Status.CANCELED not in (after.status, after.run_status):
                raise Conflict(
                    f"Only a video that is being made can be canceled; this one is {video.status}.",
                    code="video.not_running",
                )
            clips = attempts.open_clips(cursor, video.session_id) if provider else []
        for run_id in canceled:
            run_metrics.record_run_end(Status.CANCELED)
            self._stop(run_id)
        if clips:
            self._cancel_jobs(video, clips, min(_PROVIDER_SECONDS, seconds_left))
        with self.database.transaction() as cursor:
            bills = attempts.by_step(cursor, video.session_id)
        return Cancellation(
            video=self.videos.get(caller, video.session_id, address),
            provider=provider,
            billing=_billing(bills, video.frame_count),
        )

    def _stop(self, run_id: str) -> None:
        try:
            executions.stop(self.settings.state_machine_arn, run_id, "canceled by its owner")
        except TransientError as error:  # its next step finds the run ended, and ends it
            logger.warning("not stopped", extra={"run_id": run_id, "code": error.error_code})

    def _cancel_jobs(self, video: Video, clips: list[Step], seconds: float) -> None:
        """Have the function that speaks to the provider cancel the jobs, and wait a while."""
        event = {"action": "cancel", "run_id": video.run_id, "video_id": video.session_id}
        began = time.monotonic()
        deadline = began + seconds
        try:
            for clip in clips:
                one = {**event, "scene": clip.scene, "version": clip.version}
                lambda_invoke.invoke_async(self.settings.clip_function_name, one)
            while time.monotonic() < deadline:
                # A job that is billed anyway stays open. It was looked at, which is all there is.
                time.sleep(_PAUSE)
                passed = time.monotonic() - began
                with self.database.transaction() as cursor:
                    if not attempts.open_clips(cursor, video.session_id, not_asked_seconds=passed):
                        return
        except TransientError as error:
            logger.warning("jobs not canceled", extra={"code": error.error_code})


def _billing(bills: list[StepCharges], scene_count: int) -> Billing:
    charged = sum((bill.charged_usd for bill in bills), Decimal(0))
    at_most = sum((bill.at_most_usd for bill in bills), Decimal(0))
    by_step = {(bill.scene, _WORDS.get(bill.kind, bill.kind)): _verdict(bill) for bill in bills}
    kinds = ["image", "clip", *sorted({kind for _, kind in by_step} - {"image", "clip", "story"})]
    return Billing(
        amount=money(charged),
        at_most=money(at_most),
        story=by_step.get((0, "story"), "not"),
        scenes=[
            SceneBilling(
                scene=scene, steps={kind: by_step.get((scene, kind), "not") for kind in kinds}
            )
            for scene in range(1, scene_count + 1)
        ],
    )


def _verdict(bill: StepCharges) -> Billed:
    if bill.charged_usd:
        return "billed"
    return "maybe" if bill.at_most_usd else "not"
