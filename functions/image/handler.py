"""States PaintAnchor and PaintImage: one picture for a scene, at the video's exact size."""

from functools import cache
from typing import Any

from common import paid, providers
from common.database import Cursor, Database, runs, scenes, videos
from common.database.jobs import Step
from common.database.scenes import Frame
from common.database.videos import Video
from common.generation import context, settings, store
from common.providers import ImageRequest, ImageResult, models
from common.step import SceneEvent, step
from common.storage import MediaFolder
from common.styles import mood, style
from common.video import RATIOS, Picture, Stage

_ANCHOR_SCENE = 1


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@step(Stage.IMAGE, SceneEvent, database, submits=True)
def handler(event: SceneEvent) -> dict[str, Any]:
    """Paint the scene's picture once; a repeated run gets the one that is there."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        frame = scenes.frame(cursor, event.video_id, event.scene)
        anchor = scenes.frame(cursor, event.video_id, _ANCHOR_SCENE)
        scenes.start(cursor, "image", event.video_id, event.scene, frame.version)
    if frame.status != "succeeded":
        _paint(event, video, frame, anchor)
    return {"scene": event.scene, "provider": video.image_provider, "model": video.image_model}


def _paint(event: SceneEvent, video: Video, frame: Frame, anchor: Frame) -> None:
    key = MediaFolder(video.user_id, video.session_id).image(event.scene, frame.version)
    request = ImageRequest(
        prompt=frame.prompt,
        size=RATIOS[video.ratio],
        scene=event.scene,
        scenes=video.frame_count,
        style=style(video.style),
        mood=mood(video.mood),
        model=video.image_model,
        seed=video.seed,
        reference=_stored(video.reference_key),
        anchor=_stored(anchor.image_key) if event.scene != _ANCHOR_SCENE else None,
    )
    model = models.find("image", video.image_provider, video.image_model)
    references = sum(picture is not None for picture in (request.reference, request.anchor))

    def keep(result: ImageResult) -> None:
        store().put(key, result.picture.data, result.picture.media_type)

    def record(cursor: Cursor, result: ImageResult) -> None:
        scenes.finish_image(
            cursor, event.video_id, event.scene, frame.version, key=key, usd=result.cost.usd
        )
        runs.add_event(cursor, event.run_id, "image.succeeded", event.scene)

    paid.call(
        database(),
        paid.Charge(
            Step(event.video_id, "image", event.scene, frame.version),
            model,
            model.image_usd(video.ratio, references),
        ),
        make=lambda _token: providers.image(video.image_provider, context()).paint(request),
        keep=keep,
        record=record,
    )


def _stored(key: str | None) -> Picture | None:
    return Picture(store().get(key)) if key else None
