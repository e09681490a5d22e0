"""Clips by Runway's image-to-video models, over HTTPS with `requests`."""

import contextlib
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from common.domain import models
from common.domain.errors import MediaError, TransientError, VideoError
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
from common.providers.video import _limits, _runway_picture
from common.providers.video import _runway_tasks as tasks
from common.providers.video._runway_api import RunwayApi
from common.providers.video._runway_tasks import VENDOR

_MOST_CLIP_BYTES = 256 * 1024 * 1024
_DOWNLOAD_SECONDS = 150.0
# For a moment after it was made a task is not found.
_APPEARS_WITHIN_SECONDS = 120
_SEEDS = 2**32
_NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")


def create(context: ProviderContext) -> "Runway":
    """Return the provider."""
    return Runway(context)


class Runway:
    """Animates pictures, as tasks of Runway."""

    def __init__(self, context: ProviderContext) -> None:
        self._context = context

    @cached_property
    def _api(self) -> RunwayApi:
        return RunwayApi(self._context)

    def submit(self, request: ClipRequest) -> JobRef:
        """Start a task. A picture too large for the call is uploaded first, which is free."""
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
        """Ask once how the task is doing."""
        task = self._api.task(job.id)
        if task is not None:
            price = models.find("video", "runway", job.model).usd_per_unit
            return tasks.state(task, price)
        age = time.time() - float(job.facts.get("submitted_at", 0))
        return tasks.waiting() if age < _APPEARS_WITHIN_SECONDS else tasks.gone()

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Download the clip from the link that a poll named; links expire, and polls name new ones.

        Raises TransientError when it may work later, MediaError (`clip.output_lost`) when the link
        leads nowhere, or (`media.invalid`) when what came is no MP4.
        """
        if not self._download(state, target):
            raise vendor_errors.lost(VENDOR, state.cost)

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Stop a task that waits, which is free.

        Runway gives nothing back for one that it has begun: that is left to finish, and so is one
        that Runway does not show, or in a state that we do not know.
        """
        if state.is_guess or state.status not in (JobStatus.QUEUED, JobStatus.THROTTLED):
            return state
        with contextlib.suppress(TransientError):
            if self._api.delete(job.id):
                return JobState(JobStatus.CANCELED, cost=FREE)
        return state

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Return how many tasks the account counts: Runway lists none, and takes no token."""
        return Reconciliation(accepted_count=self._api.generations(request.model))

    def _image(self, request: ClipRequest) -> str:
        """Return the picture as a data URI where that fits, else as the address of an upload."""
        picture = _runway_picture.within_ratio(request.image, RATIOS[request.ratio])
        uri = _runway_picture.data_uri(picture)
        if uri is not None:
            return uri
        name = f"picture.{picture.media_type.rpartition('/')[2]}"
        return self._api.upload(name, picture.data, picture.media_type)

    def _download(self, state: JobState, target: Path) -> bool:
        """Write the clip to the file; False when there is no link, or it leads nowhere."""
        if not state.outputs:
            return False
        link = state.outputs[0]
        if not self._api.may_visit(link):
            raise _not_a_clip("is not handed out over HTTPS")
        try:
            answer = http.download(
                link, target, seconds=_DOWNLOAD_SECONDS, most_bytes=_MOST_CLIP_BYTES
            )
        except http.TooLarge:
            raise _not_a_clip(f"is larger than {_MOST_CLIP_BYTES // 2**20} MiB") from None
        except (http.NotSent, http.NoAnswer):
            raise vendor_errors.transient(VENDOR) from None
        if answer.status in (401, 403, 404, 410):
            return False
        if answer.status != 200 or not _says_video(answer):
            target.unlink(missing_ok=True)
            raise vendor_errors.transient(VENDOR)
        if not target.stat().st_size:
            raise vendor_errors.transient(VENDOR)
        if not _is_mp4(target):
            target.unlink()
            raise _not_a_clip("is no MP4 file")
        return True


def _says_video(answer: http.Answer) -> bool:
    """Say whether the answer is not openly something else, such as a page with an excuse."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type.startswith("video/") or media_type in _NO_TYPE


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _not_a_clip(how: str) -> VideoError:
    return MediaError(f"The clip that {VENDOR} made {how}.", code="media.invalid", billed=True)
