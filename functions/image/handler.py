"""Lambda function `image`: the states PaintAnchor and PaintImage, which generate a scene's image.

The image has exactly the size of the video.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from common import providers
from common.application.billing.paid_calls import CallResult, store_paid_media
from common.application.generation import (
    GenerationStep,
    media_folder,
    provider_context,
    services,
)
from common.application.pipeline_step import SceneEvent, step
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.scenes import SceneImage
from common.domain import models
from common.domain.models import Model
from common.domain.styles import mood, style
from common.domain.video import RATIOS, Cost, EncodedImage, RunScope, Stage
from common.providers import ImageProvider, ImageRequest

_FIRST_SCENE = 1


@step(Stage.IMAGE, SceneEvent, services, submits=True)
def handler(event: SceneEvent) -> dict[str, Any]:
    """Generate the scene's image; idempotent, an existing image is kept."""
    with services().database.transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        frame, is_needed = _frame_of(cursor, event)
        first = scenes.finished_images(cursor, event.video_id).get(_FIRST_SCENE)
        if is_needed:
            scenes.start(cursor, "image", event.video_id, event.scene, frame.version)
    if is_needed:
        GenerateImage(event, video, frame, first).execute()
    return {
        "status": "succeeded",
        "scene": event.scene,
        "provider": video.image_provider,
        "model": video.image_model,
        "narrated": video.speech_model is not None,
    }


def _frame_of(cursor: Cursor, event: SceneEvent) -> tuple[SceneImage, bool]:
    """Return the version of the image that the run makes, and whether it is needed.

    A run of the whole video skips the image of a scene that already has its clip.
    """
    work, video_id, scene = runs.work(cursor, event.run_id), event.video_id, event.scene
    version = work.versions.get(scene) or scenes.current_version(cursor, "image", video_id, scene)
    frame = scenes.image(cursor, video_id, scene, version)
    has_clip = work.scope is RunScope.ALL and scene in scenes.finished_clips(cursor, video_id)
    return frame, frame.status != "succeeded" and not has_clip


@dataclass(frozen=True)
class GenerateImage(GenerationStep[SceneEvent]):
    """The generation of a scene's image; `first` is the first image, which the others follow."""

    frame: SceneImage
    first: SceneImage | None

    lease_seconds = 360  # the timeout of the state; the function times out earlier

    @property
    def step(self) -> Step:
        return Step(self.event.video_id, "image", self.event.scene, self.frame.version)

    @property
    def model(self) -> Model:
        return models.find("image", self.video.image_provider, self.video.image_model)

    @property
    def usd(self) -> Decimal:
        return self.model.image_usd(
            self.video.ratio,
            anchor=self.request.anchor is not None,
            reference=self.request.reference is not None,
        )

    @property
    def images(self) -> int:
        # OpenAI limits input images, and counts a call without any as one.
        input_images = (self.request.reference, self.request.anchor)
        return max(1, sum(image is not None for image in input_images))

    @cached_property
    def key(self) -> str:
        """The key of the image in the media store."""
        return media_folder(self.video).image(self.event.scene, self.frame.version)

    @cached_property
    def provider(self) -> ImageProvider:
        return providers.image_provider(self.video.image_provider, provider_context())

    @cached_property
    def request(self) -> ImageRequest:
        follows = self.first is not None and self.event.scene != _FIRST_SCENE
        return ImageRequest(
            prompt=self.frame.prompt,
            size=RATIOS[self.video.ratio],
            scene=self.event.scene,
            scenes=self.video.frame_count,
            style=style(self.frame.style or self.video.style),
            mood=mood(self.frame.mood or self.video.mood),
            model=self.video.image_model,
            # A new version needs another seed, because the same one would make the same image.
            seed=self.video.seed + self.frame.version - 1,
            reference=_stored(self.frame.reference_key or self.video.reference_key),
            anchor=_stored(self.first.image_key) if self.first and follows else None,
        )

    def perform(self, token: str) -> CallResult:
        result = self.provider.generate_image(self.request)
        image = result.picture
        store = services().store
        store_paid_media(lambda: store.put(self.key, image.data, image.media_type), result.cost)
        return {"cost": result.cost.as_json()}

    def record(self, cursor: Cursor, attempt: Attempt, result: CallResult) -> None:
        cost = Cost.from_json(result["cost"])
        attempts.mark_succeeded(cursor, attempt, cost)
        scenes.finish_image(
            cursor,
            self.event.video_id,
            self.event.scene,
            self.frame.version,
            key=self.key,
            usd=cost.usd,
            size=self.request.size,
        )
        runs.add_event(cursor, self.event.run_id, "image.succeeded", self.event.scene)


def _stored(key: str | None) -> EncodedImage | None:
    return EncodedImage(services().store.get(key)) if key else None
