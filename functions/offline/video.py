"""Offline video provider: pan, zoom and parallax over an image, free and without AI.

There is no queue: `submit` stores the parameters in the job, and `fetch` renders the clip. A job is
stateless apart from its facts, so it survives restarts.
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
_MAX_PIXELS = 4_000_000


def create(context: ProviderContext) -> "OfflineCamera":
    """Return the provider, which reads images from the context's media store."""
    return OfflineCamera(context)


class OfflineCamera:
    """A deterministic video provider: equal jobs give equal frames."""

    def __init__(self, context: ProviderContext) -> None:
        self._context = context

    def submit(self, request: ClipRequest) -> JobRef:
        """Return the job without rendering it; raises MediaError if the image cannot be decoded."""
        _decode(request.image.data)
        mood_moves = request.mood.drawing.get("moves", ())
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
                "move": moves.choose(request.prompt, mood_moves, request.seed, request.scene),
            },
            estimated=FREE,
            wait_seconds=1,
        )

    def poll(self, job: JobRef) -> JobState:
        """Report success at once, because `fetch` does the rendering."""
        return JobState(
            JobStatus.SUCCEEDED, wait_seconds=0, progress=1.0, cost=FREE, outputs=(job.id,)
        )

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Render the clip to `target`: H.264 at exactly 24 frames/s, in the image's size.

        `target` is created atomically. Raises NotFound if the image does not exist, and MediaError
        if it cannot be decoded or the encoder fails.
        """
        facts = job.facts
        data = self._context.store.get(str(facts["image_key"]))
        image = _decode(data)
        depth = depth_map.read(data)
        details: Mapping[str, Any] = depth.facts if depth is not None else {}
        labels = depth.labels if depth is not None and depth.labels.size == image.size else None
        speed = float(facts["speed"])
        path = moves.plan(
            str(facts["move"]),
            image.size,
            int(facts["seconds"]) * film.RATE,
            speed=speed,
            focus=_focus(details),
            layered=labels is not None,
        )
        stack = layers.cut(image, labels, _parallax(details))
        seed = int(facts["seed"]) + int(facts["scene"])
        film.encode(film.frames(stack, path, details, seed, speed), image.size, target)

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Report the job as canceled; nothing runs or is charged between submit and fetch."""
        return JobState(JobStatus.CANCELED, wait_seconds=0, cost=FREE)

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Report an unknown outcome; submitting again is free."""
        return Reconciliation()


def _decode(data: bytes) -> Image.Image:
    """Return the image as RGB, cropped to even sides."""
    image = images.decode(data)
    width, height = image.size
    if width * height > _MAX_PIXELS or min(width, height) < 16:
        raise MediaError(f"An image of {width}x{height} pixels cannot be animated.")
    return image.crop((0, 0, width // 2 * 2, height // 2 * 2))


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
