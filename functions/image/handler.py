"""States PaintAnchor and PaintImage: one picture for a scene, at the video's exact size."""

from typing import Any

from common import providers
from common.application.billing import paid_calls
from common.application.billing.paid_calls import CallResult
from common.application.pipeline_step import SceneEvent, step
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.scenes import Frame
from common.database.videos import Video
from common.domain import models
from common.domain.styles import mood, style
from common.domain.video import RATIOS, Cost, EncodedImage, RunScope, Stage
from common.providers import ImageRequest
from common.runtime import charge, context, database, folder, ledger, store

_ANCHOR_SCENE = 1
# The state gives up after 360 s, the function before it.
_LEASE_SECONDS = 360


@step(Stage.IMAGE, SceneEvent, database, submits=True)
def handler(event: SceneEvent) -> dict[str, Any]:
    """Paint the scene's picture once; a repeated run gets the one that is there."""
    with database().transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        frame, is_needed = _frame_of(cursor, event)
        anchor = scenes.finished_frames(cursor, event.video_id).get(_ANCHOR_SCENE)
        if is_needed:
            scenes.start(cursor, "image", event.video_id, event.scene, frame.version)
    if is_needed:
        _paint(event, video, frame, anchor)
    return {
        "status": "succeeded",
        "scene": event.scene,
        "provider": video.image_provider,
        "model": video.image_model,
        "narrated": video.speech_model is not None,
    }


def _frame_of(cursor: Cursor, event: SceneEvent) -> tuple[Frame, bool]:
    """Return the version of the picture that the run makes, and whether it has to be made.

    In the whole video, a scene that has its clip needs no picture any more.
    """
    work, video_id, scene = runs.work(cursor, event.run_id), event.video_id, event.scene
    version = work.versions.get(scene) or scenes.current_version(cursor, "image", video_id, scene)
    frame = scenes.frame(cursor, video_id, scene, version)
    has_clip = work.scope is RunScope.ALL and scene in scenes.finished_clips(cursor, video_id)
    return frame, frame.status != "succeeded" and not has_clip


def _paint(event: SceneEvent, video: Video, frame: Frame, anchor: Frame | None) -> None:
    painter = providers.image_provider(video.image_provider, context())
    key = folder(video).image(event.scene, frame.version)
    request = ImageRequest(
        prompt=frame.prompt,
        size=RATIOS[video.ratio],
        scene=event.scene,
        scenes=video.frame_count,
        style=style(frame.style or video.style),
        mood=mood(frame.mood or video.mood),
        model=video.image_model,
        # Painted anew, it is another picture.
        seed=video.seed + frame.version - 1,
        reference=_stored(frame.reference_key or video.reference_key),
        anchor=_stored(anchor.image_key) if anchor and event.scene != _ANCHOR_SCENE else None,
    )

    def make(_token: str) -> CallResult:
        result = painter.generate_image(request)
        picture = result.picture
        paid_calls.store_paid_media(
            lambda: store().put(key, picture.data, picture.media_type), result.cost
        )
        return {"cost": result.cost.as_json()}

    def record(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        cost = Cost.from_json(facts["cost"])
        attempts.mark_succeeded(cursor, attempt, cost)
        scenes.finish_image(
            cursor,
            event.video_id,
            event.scene,
            frame.version,
            key=key,
            usd=cost.usd,
            size=request.size,
        )
        runs.add_event(cursor, event.run_id, "image.succeeded", event.scene)

    model = models.find("image", video.image_provider, video.image_model)
    references = sum(picture is not None for picture in (request.reference, request.anchor))
    usd = model.image_usd(
        video.ratio, anchor=request.anchor is not None, reference=request.reference is not None
    )
    paid_for = Step(event.video_id, "image", event.scene, frame.version)
    # OpenAI's limit is one of input pictures, and counts a call without any as one.
    pictures = max(1, references)
    cost = charge(event.run_id, video, paid_for, model, usd, _LEASE_SECONDS, pictures)
    ledger().execute(cost, make, record)


def _stored(key: str | None) -> EncodedImage | None:
    return EncodedImage(store().get(key)) if key else None
