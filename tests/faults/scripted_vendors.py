"""Scripted vendors that respond immediately: success, refusal of marked prompts, or failure.

They replace the adapters and keep no state: everything is in the ledger, so that restoring rows
restores an earlier state completely.
"""

import io
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from common.domain.errors import OutcomeUnknown, ProviderRefused
from common.domain.video import Cost, EncodedImage, Scene, Story
from common.providers import (
    ClipRequest,
    ImageRequest,
    ImageResult,
    JobFailure,
    JobRef,
    JobState,
    JobStatus,
    Reconciliation,
    Retry,
    StoryRequest,
    StoryResult,
)

SCENES, SCENE = 2, 2  # number of scenes, and the scene with faults
DECLINED_STORY, DECLINED_IMAGE, DECLINED_MOTION = "[story]", "[image]", "[motion]"
"""Markers in a prompt: the vendor refuses the story, or the image or clip of the scene."""
_PRICE = Cost(Decimal("0.01"))


@dataclass
class Vendors:
    """All vendors. `mode` is the fault of the current run; `struck` is set once it occurred."""

    mode: str = "ok"
    struck: bool = False
    cancel: Any = None

    def strikes(self, fault: str, scene: int = SCENE) -> bool:
        """Return whether this fault occurs now."""
        hit = self.mode == fault and scene == SCENE
        self.struck |= hit
        return hit

    # -- text and image ----------------------------------------------------------------------------
    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story that copies the markers of the prompt into the scene."""
        self._maybe_refuse("story", DECLINED_STORY in request.prompt)
        image = DECLINED_IMAGE if DECLINED_IMAGE in request.prompt else ""
        motion = DECLINED_MOTION if DECLINED_MOTION in request.prompt else ""
        return StoryResult(
            Story(
                "Title",
                "Overview",
                tuple(
                    Scene(
                        n,
                        (n - 1) * request.seconds,
                        f"scene {n}",
                        f"paint {n} {image if n == SCENE else ''}",
                        f"move {n} {motion if n == SCENE else ''}",
                    )
                    for n in range(1, request.scenes + 1)
                ),
            ),
            _PRICE,
        )

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return an image of one colour."""
        self._maybe_refuse("image", DECLINED_IMAGE in request.prompt, request.scene)
        if self.strikes("image charged and held back", request.scene):
            raise ProviderRefused("Held back.", code="safety.output", billed=True, cost=_PRICE)
        return ImageResult(_picture(request.size), _PRICE)

    def _maybe_refuse(self, kind: str, declined: bool, scene: int = SCENE) -> None:
        if declined:
            raise ProviderRefused("Declined.", code="safety.input", billed=False)
        if self.strikes(f"{kind} refused", scene):
            raise ProviderRefused("No.", code="provider.internal", billed=False, retryable=True)
        if self.strikes(f"{kind} unknown", scene):
            raise OutcomeUnknown("The line broke.")

    # -- video -------------------------------------------------------------------------------------
    def submit(self, request: ClipRequest) -> JobRef:
        """Accept a job whose result is predetermined."""
        self._maybe_refuse("clip", DECLINED_MOTION in request.prompt, request.scene)
        ends = [end for end in ("failed", "gone") if self.strikes(f"clip {end}", request.scene)]
        facts = {"end": ends[0] if ends else "succeeded", "scene": request.scene}
        return JobRef("runway", request.model, request.client_token, facts, _PRICE, 5)

    def poll(self, job: JobRef) -> JobState:
        """Return the final state of the job; a mode may cancel the video meanwhile."""
        for provider, fault in ((False, "canceled at clip"), (True, "canceled at vendor")):
            if not self.struck and self.strikes(fault, job.facts["scene"]):
                self.cancel(provider=provider)
                return JobState(JobStatus.RUNNING)
        if job.facts["end"] == "failed":
            failure = JobFailure("clip.bad_output", "Thrown away.", Retry.CHANGED_INPUT)
            return JobState(JobStatus.FAILED, cost=Cost(Decimal(0)), failure=failure)
        if job.facts["end"] == "gone":
            failure = JobFailure("provider.job_gone", "Not known.", Retry.LATER)
            return JobState(JobStatus.FAILED, failure=failure)
        return JobState(JobStatus.SUCCEEDED, cost=_PRICE, outputs=("x",))

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Write placeholder data for the clip."""
        target.write_bytes(b"clip")

    def cancel_job(self, job: JobRef, state: JobState) -> JobState:
        """Cancel the job without a cost."""
        return JobState(JobStatus.CANCELED)

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Return a reconciliation without a result."""
        return Reconciliation()


@dataclass
class ScriptedVideoProvider:
    """The video provider, whose `cancel` is that of a job, not of the video."""

    vendors: Vendors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vendors, "cancel_job" if name == "cancel" else name)


@cache
def _picture(size: tuple[int, int]) -> EncodedImage:
    out = io.BytesIO()
    Pillow.new("RGB", size, (90, 120, 160)).save(out, "PNG")
    return EncodedImage(out.getvalue())
