"""Use case of canceling a video: end its runs, optionally its provider jobs; report the billing."""

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

# Jobs whose cancellation the provider has not confirmed by then are reported as `maybe` billed.
_PROVIDER_SECONDS = 15
_POLL_SECONDS = 0.3
_STEP_NAMES = {"speech": "narration"}  # names in the API that differ from the ledger


@dataclass(frozen=True, slots=True)
class CancellationService:
    """The use case of canceling a video."""

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
        """Cancel the caller's video; raises NotFound, or Conflict if its run has ended.

        With `provider`, also cancel its provider jobs if that avoids their cost. A clip that is
        finished by then is kept. Canceling is idempotent; a second request may add `provider`.
        """
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            canceled = runs.cancel(cursor, video.session_id, jobs=provider)
            after = videos.get(cursor, video.session_id)
            if not canceled and Status.CANCELED not in (after.status, after.run_status):
                raise Conflict(
                    f"Only a video in progress can be canceled. This one is {video.status}.",
                    code="video.not_running",
                )
            clips = attempts.open_clips(cursor, video.session_id) if provider else []
        for run_id in canceled:
            run_metrics.record_run_end(Status.CANCELED)
            self._stop(run_id)
        if clips:
            self._cancel_jobs(video, clips, min(_PROVIDER_SECONDS, seconds_left))
        with self.database.transaction() as cursor:
            charges = attempts.by_step(cursor, video.session_id)
        return Cancellation(
            video=self.videos.get(caller, video.session_id, address),
            provider=provider,
            billing=_billing(charges, video.frame_count),
        )

    def _stop(self, run_id: str) -> None:
        try:
            executions.stop(self.settings.state_machine_arn, run_id, "canceled by its owner")
        except TransientError as error:  # the next step of the execution ends it
            logger.warning(
                "execution not stopped", extra={"run_id": run_id, "code": error.error_code}
            )

    def _cancel_jobs(self, video: Video, clips: list[Step], seconds: float) -> None:
        """Have the clip function cancel the jobs, and wait up to `seconds` for the provider."""
        event = {"action": "cancel", "run_id": video.run_id, "video_id": video.session_id}
        started = time.monotonic()
        deadline = started + seconds
        try:
            for clip in clips:
                job = {**event, "scene": clip.scene, "version": clip.version}
                lambda_invoke.invoke_async(self.settings.clip_function_name, job)
            while time.monotonic() < deadline:
                # A job that is billed anyway stays open; it is done once its status was checked.
                time.sleep(_POLL_SECONDS)
                elapsed = time.monotonic() - started
                with self.database.transaction() as cursor:
                    if not attempts.open_clips(cursor, video.session_id, not_asked_seconds=elapsed):
                        return
        except TransientError as error:
            logger.warning("provider jobs not canceled", extra={"code": error.error_code})


def _billing(step_charges: list[StepCharges], scene_count: int) -> Billing:
    charged = sum((step.charged_usd for step in step_charges), Decimal(0))
    at_most = sum((step.at_most_usd for step in step_charges), Decimal(0))
    by_step = {
        (step.scene, _STEP_NAMES.get(step.kind, step.kind)): _billed(step) for step in step_charges
    }
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


def _billed(step: StepCharges) -> Billed:
    if step.charged_usd:
        return "billed"
    return "maybe" if step.at_most_usd else "not"
