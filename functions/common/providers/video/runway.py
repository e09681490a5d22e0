"""Clips by Runway's image-to-video models."""

import contextlib
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from common.domain import models
from common.domain.errors import MediaError, ProviderRefused, TransientError, VideoError
from common.domain.video import FREE, RATIOS
from common.providers import (
    ClipRequest,
    JobRef,
    JobState,
    JobStatus,
    ProviderContext,
    Reconciliation,
    http,
    prompts,
    vendor_errors,
)
from common.providers.video import _limits, _runway_image
from common.providers.video import _runway_tasks as tasks
from common.providers.video._runway_api import RunwayApi
from common.providers.video._runway_tasks import VENDOR

_MAX_CLIP_BYTES = 256 * 1024 * 1024
_DOWNLOAD_SECONDS = 150.0
# A new task may not be found at first (eventual consistency).
_APPEARS_WITHIN_SECONDS = 120
_SEEDS = 2**32
# Media types of a response that does not state what it is.
_GENERIC_TYPES = ("", "application/octet-stream", "binary/octet-stream")


def create(context: ProviderContext) -> "Runway":
    """Return the provider."""
    return Runway(context)


class Runway:
    """The video provider `runway`; a job is a task of Runway."""

    def __init__(self, context: ProviderContext) -> None:
        self._context = context

    @cached_property
    def _api(self) -> RunwayApi:
        return RunwayApi(self._context)

    def submit(self, request: ClipRequest) -> JobRef:
        """Start a task; makes exactly one paid call.

        An image too large for a data URI is uploaded first, which is free. Raises InvalidInput,
        NotAccepted, ProviderRefused or OutcomeUnknown.
        """
        model = models.find("video", "runway", request.model)
        _limits.check(model, request)
        body: dict[str, Any] = {
            "model": model.model,
            "promptImage": self._image(request),
            "promptText": prompts.motion(
                request.prompt, request.mood, utf16_units=model.prompt_utf16_units
            ),
            "ratio": request.ratio,
            "duration": request.seconds,
            "seed": request.seed % _SEEDS,
            **model.request,
        }
        task = self._api.image_to_video(body)
        estimated = tasks.cost(task.get("estimatedCost"), model.usd_per_unit)
        return JobRef(
            provider="runway",
            model=model.model,
            id=task["id"],
            facts={"submitted_at": int(time.time())},
            estimated=estimated or model.clip_cost(request.seconds),
            wait_seconds=tasks.waiting().wait_seconds,
        )

    def poll(self, job: JobRef) -> JobState:
        """Poll the task once; a new task that is not found yet counts as queued."""
        task = self._api.task(job.id)
        if task is not None:
            price = models.find("video", "runway", job.model).usd_per_unit
            return tasks.state(task, price)
        age = time.time() - float(job.facts.get("submitted_at", 0))
        return tasks.waiting() if age < _APPEARS_WITHIN_SECONDS else tasks.gone()

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Download the clip from the link of the last poll. Links expire; polls return new ones.

        Raises TransientError if a retry may succeed, MediaError `clip.output_lost` if there is no
        link or it has expired, and MediaError `media.invalid` if the download is not an MP4 file.
        """
        if not self._download(state, target):
            raise vendor_errors.output_lost(VENDOR, state.cost)

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Cancel a task that has not started, which is free.

        Runway does not refund a task that has started, so it is left to finish. So is a task that
        Runway does not show, whose status is unknown, or that it refuses to cancel.
        """
        if state.is_guess or state.status not in (JobStatus.QUEUED, JobStatus.THROTTLED):
            return state
        with contextlib.suppress(TransientError, ProviderRefused):
            if self._api.delete(job.id):
                return JobState(JobStatus.CANCELED, cost=FREE)
        return state

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Return the account's count of tasks.

        Runway can neither list tasks nor submit with an idempotency token, so the count is the only
        evidence.
        """
        return Reconciliation(accepted_count=self._api.generations(request.model))

    def _image(self, request: ClipRequest) -> str:
        """Return the image as a data URI if that is short enough, else the URI of an upload."""
        image = _runway_image.within_ratio(request.image, RATIOS[request.ratio])
        uri = _runway_image.data_uri(image)
        if uri is not None:
            return uri
        name = f"picture.{image.media_type.rpartition('/')[2]}"
        return self._api.upload(name, image.data, image.media_type)

    def _download(self, state: JobState, target: Path) -> bool:
        """Download the clip to `target`; return False if there is no link or it has expired."""
        if not state.outputs:
            return False
        link = state.outputs[0]
        if not self._api.is_allowed_url(link):
            raise _invalid_clip("is not available over HTTPS")
        try:
            response = http.download(
                link, target, seconds=_DOWNLOAD_SECONDS, most_bytes=_MAX_CLIP_BYTES
            )
        except http.TooLarge:
            raise _invalid_clip(f"is larger than {_MAX_CLIP_BYTES // 2**20} MiB") from None
        except (http.NotSent, http.NoResponse):
            raise vendor_errors.transient(VENDOR) from None
        if response.status in (401, 403, 404, 410):
            return False
        if response.status != 200 or not _may_be_video(response):
            target.unlink(missing_ok=True)
            raise vendor_errors.transient(VENDOR)
        if not target.stat().st_size:
            raise vendor_errors.transient(VENDOR)
        if not _is_mp4(target):
            target.unlink()
            raise _invalid_clip("is not an MP4 file")
        return True


def _may_be_video(response: http.HttpResponse) -> bool:
    """Return whether the Content-Type allows a video; an error page, for example, is HTML."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type.startswith("video/") or media_type in _GENERIC_TYPES


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _invalid_clip(reason: str) -> VideoError:
    return MediaError(
        f"The clip that {VENDOR} generated {reason}. It was charged.",
        code="media.invalid",
        billed=True,
    )
