"""The offline camera as a video provider: pan, zoom and parallax over the still, no AI, free.

There is no queue behind it: `submit` notes what is to be done in the job itself, and `fetch` does
it. So a job needs no state but its own facts, and survives any restart.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from common.domain.errors import MediaError
from common.domain.video import FREE
from common.media import images
from common.providers import (
    ClipRequest,
    JobRef,
    JobState,
    JobStatus,
    ProviderContext,
    Reconciliation,
)
from offline import depth_map
from offline.animator import film, layers, moves

NAME = "offline"
_MOST_PIXELS = 4_000_000


def create(context: ProviderContext) -> "OfflineCamera":
    """Return the provider; it reads pictures from the context's media store."""
    return OfflineCamera(context)


class OfflineCamera:
    """Renders clips; the same job gives the same pictures."""

    def __init__(self, context: ProviderContext) -> None:
        self._context = context

    def submit(self, request: ClipRequest) -> JobRef:
        """Return the job; nothing is rendered yet. Raises MediaError for a broken picture."""
        _opened(request.image.data)
        wishes = request.mood.drawing.get("moves", ())
        return JobRef(
            provider=NAME,
            model=request.model,
            id=request.client_token,
            facts={
                "image_key": request.image_key,
                "seconds": request.seconds,
                "seed": request.seed,
                "scene": request.scene,
                "ratio": request.ratio,
                "speed": float(request.mood.drawing.get("speed", 1.0)),
                "move": moves.choose(request.prompt, wishes, request.seed, request.scene),
            },
            estimated=FREE,
            wait_seconds=1,
        )

    def poll(self, job: JobRef) -> JobState:
        """Answer that the clip can be fetched: rendering is part of fetching."""
        return JobState(
            JobStatus.SUCCEEDED, wait_seconds=0, progress=1.0, cost=FREE, outputs=(job.id,)
        )

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Render the clip: H.264 with exactly 24 pictures a second, at the picture's own size.

        Raises NotFound when the picture is gone, MediaError when it is broken or the encoder
        fails. `target` appears whole or not at all.
        """
        facts = job.facts
        data = self._context.store.get(str(facts["image_key"]))
        picture = _opened(data)
        depth = depth_map.read(data)
        known: Mapping[str, Any] = depth.facts if depth is not None else {}
        labels = depth.labels if depth is not None and depth.labels.size == picture.size else None
        speed = float(facts["speed"])
        way = moves.plan(
            str(facts["move"]),
            picture.size,
            int(facts["seconds"]) * film.RATE,
            speed=speed,
            focus=_focus(known),
            layered=labels is not None,
        )
        parts = layers.cut(picture, labels, _parallax(known))
        seed = int(facts["seed"]) + int(facts["scene"])
        film.encode(film.frames(parts, way, known, seed, speed), picture.size, target)

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Answer that the job is canceled: between submit and fetch nothing runs or costs."""
        return JobState(JobStatus.CANCELED, wait_seconds=0, cost=FREE)

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Answer that nothing is known; submitting again costs nothing."""
        return Reconciliation()


def _opened(data: bytes) -> Image.Image:
    """Return the picture as RGB with even sides."""
    whole = images.decode(data)
    width, height = whole.size
    if width * height > _MOST_PIXELS or min(width, height) < 16:
        raise MediaError(f"A picture of {width}x{height} pixels cannot be animated.")
    return whole.crop((0, 0, width // 2 * 2, height // 2 * 2))


def _focus(facts: Mapping[str, Any]) -> tuple[float, float]:
    try:
        x, y = facts["focus"]
        return min(0.8, max(0.2, float(x))), min(0.8, max(0.2, float(y)))
    except (KeyError, TypeError, ValueError):
        return 0.5, 0.55


def _parallax(facts: Mapping[str, Any]) -> list[float]:
    try:
        values = [min(1.0, max(0.0, float(value))) for value in facts["parallax"]]
    except (KeyError, TypeError, ValueError):
        values = []
    return values or [0.0]
