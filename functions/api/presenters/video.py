"""Representation of videos in responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from api.presenters import costs, output
from api.presenters.console import Console
from api.presenters.output import LinkTo, unlinked
from api.schemas.output import Output
from api.schemas.videos import (
    Costs,
    Links,
    NarrationObject,
    RunError,
    SceneAsset,
    SceneCost,
    SceneObject,
    UnitsInUsd,
    VideoObject,
    VideoOrigin,
    Waiting,
)
from common.application.model_selection import models_of
from common.database import narrations
from common.database.attempts import Charges, StepCharges
from common.database.narrations import Narration
from common.database.provider_queue import QueuedStep
from common.database.scenes import Clip, SceneImage
from common.database.videos import FinalVideo, Video
from common.domain import models
from common.domain.models import Model, ModelSelection
from common.domain.video import TERMINAL, Cost, Status
from common.schemas.output import OutputSpec

# Shares of the story, all images and all clips in the progress of a video, in percent.
_STORY, _IMAGES, _CLIPS = 5, 30, 57


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a video and of all its media."""

    video: Video
    frames: Sequence[SceneImage] = ()
    clips: Sequence[Clip] = ()
    final: FinalVideo | None = None
    charges: Sequence[StepCharges] = ()
    waits: Sequence[QueuedStep] = ()
    narrations: Mapping[int, Narration] = field(default_factory=dict)

    @property
    def cost(self) -> Charges:
        """The cost of the video so far."""
        return Charges(
            sum((charge.charged_usd for charge in self.charges), Decimal(0)),
            sum((charge.open_usd for charge in self.charges), Decimal(0)),
            sum((charge.possible_usd for charge in self.charges), Decimal(0)),
        )


def full(
    rows: Rows, link: LinkTo, console: Console, expires_at: datetime | None = None
) -> VideoObject:
    """Return a video with its scenes, and links to finished media that expire at `expires_at`."""
    return _show(
        rows.video,
        progress=_progress(rows),
        scenes=_scenes(rows, link) or None,
        output=output.output(rows.final, link, expires_at) if rows.final else None,
        waiting=_waiting(rows.waits) if rows.video.status == "running" else None,
        cost=rows.cost,
        console=console,
        link=link,
        output_warnings=_output_warnings(rows),
    )


def summary(video: Video, final: FinalVideo | None, cost: Charges, console: Console) -> VideoObject:
    """Return a video for a list: without scenes and links."""
    progress = {"succeeded": 100, "queued": 0}
    return _show(
        video,
        progress=progress.get(video.status, _STORY if video.story_title else 0),
        scenes=None,
        output=output.output(final, unlinked, None) if final else None,
        waiting=None,
        cost=cost,
        console=console,
        link=unlinked,
        output_warnings=final.warnings if final else (),
    )


def _output_warnings(rows: Rows) -> list[str]:
    """Return the warnings of the newest merge, which include those of its narrations."""
    if rows.final:
        return rows.final.warnings
    return narrations.warnings(rows.narrations)


def _show(
    video: Video,
    *,
    progress: int,
    scenes: list[SceneObject] | None,
    output: Output | None,
    waiting: Waiting | None,
    cost: Charges,
    console: Console,
    link: LinkTo,
    output_warnings: Sequence[str],
) -> VideoObject:
    paid = models.paid(narrated=video.speech_model is not None)
    equivalent = paid.estimate_usd(
        scenes=video.frame_count,
        seconds=video.clip_seconds,
        ratio=video.ratio,
        reference=video.reference_key is not None,
    )
    choice = models_of(video)
    path = f"/v1/videos/{video.session_id}"
    return VideoObject.model_validate(
        {
            "id": video.session_id,
            "user_id": video.user_id,
            "request_id": video.request_id,
            "status": video.status,
            "stage": video.stage,
            "progress": progress,
            "prompt": video.original_prompt,
            "style": video.style,
            "mood": video.mood,
            "ratio": video.ratio,
            "seconds_per_scene": video.clip_seconds,
            "scene_count": video.frame_count,
            "seed": video.seed,
            "title": video.story_title,
            "overview": video.story_overview,
            "models": {model.kind: origin(model) for model in choice.all()},
            "reference_url": link(video.reference_key),
            "scenes": scenes,
            "output": output,
            "requested_output": OutputSpec.model_validate(video.output),
            "error": video.error,
            "waiting": waiting,
            "warnings": [*warnings(choice), *output_warnings],
            "cost": Costs(
                estimated=costs.money(video.estimated_usd),
                actual=costs.money(cost.charged_usd),
                **costs.unsettled(cost),
                max=None if video.max_cost_usd is None else costs.money(video.max_cost_usd),
                equivalent=UnitsInUsd(
                    amount=costs.money(equivalent),
                    models=[model.model for model in paid.all()],
                ),
            ),
            "metadata": video.metadata,
            "source": video.source_key or "api",
            "run_id": video.run_id,
            "trace_id": video.trace_id,
            "created_at": video.created_at,
            "started_at": video.started_at,
            "completed_at": video.ended_at,
            "links": Links(
                self=path,
                download=f"{path}/download",
                resume=f"{path}/resume",
                cancel=f"{path}/cancel",
                events=f"{path}/events",
                console=console.run(video.run_id),
                trace=console.trace(video.trace_id),
            ),
        }
    )


def warnings(choice: ModelSelection) -> list[str]:
    """Return a warning for each selected model that will be shut down soon."""
    ending = choice.ending(datetime.now(UTC).date())
    return [
        f"{model.provider} shuts {model.model} down on {model.shutdown}; select another model by "
        "then."
        for model in ending
    ]


def origin(model: Model) -> VideoOrigin:
    """Return the model with its display name."""
    return VideoOrigin(provider=model.provider, model=model.model, label=model.label)


def _progress(rows: Rows) -> int:
    if rows.video.status == "succeeded":
        return 100
    count = rows.video.frame_count
    images = sum(frame.status == "succeeded" for frame in rows.frames)
    finished_clips = sum(clip.status == "succeeded" for clip in rows.clips)
    story = _STORY if rows.frames else 0
    merged = 6 if rows.final else 0
    return story + (_IMAGES * images + _CLIPS * finished_clips) // count + merged


Step = TypeVar("Step", SceneImage, Clip, Narration)


def _displayed(video: Video, step: Step) -> Step:
    """Return the step as canceled if it was running when its video failed or was canceled."""
    if video.status in (Status.FAILED, Status.CANCELED) and step.status == Status.RUNNING:
        return replace(step, status=Status.CANCELED.value)
    return step


def _scenes(rows: Rows, link: LinkTo) -> list[SceneObject]:
    charges = {(charge.kind, charge.scene): charge for charge in rows.charges}
    choice = models_of(rows.video)
    reference = rows.video.reference_key is not None
    thumbnails = output.thumbnails(rows.final, link)
    scenes = []
    for frame, clip in zip(
        (_displayed(rows.video, frame) for frame in rows.frames),
        (_displayed(rows.video, clip) for clip in rows.clips),
        strict=True,
    ):
        number = frame.frame_number
        image_usd = choice.scene_image_usd(number, rows.video.ratio, reference)
        image_cost = costs.of_step(charges.get(("image", number)), Cost(image_usd))
        clip_estimate = choice.video.clip_cost(clip.clip_seconds or rows.video.clip_seconds)
        clip_cost = costs.of_step(charges.get(("clip", number)), clip_estimate)
        narration = rows.narrations.get(number)
        narration_object = None
        if narration is not None:
            usd = choice.narration_usd(rows.video.clip_seconds)
            narration = _displayed(rows.video, narration)
            narration_object = _narration(
                narration, costs.of_step(charges.get(("speech", number)), Cost(usd)), link
            )
        thumbnail = thumbnails.get(number)
        scene = _scene(frame, clip, image_cost, clip_cost, narration_object, thumbnail, link)
        if scene.status == Status.RUNNING and rows.video.status in TERMINAL:
            # The run that started this scene has ended.
            succeeded = rows.video.status == Status.SUCCEEDED
            scene.status = (Status.QUEUED if succeeded else Status.CANCELED).value
        scenes.append(scene)
    return scenes


def _waiting(waits: Sequence[QueuedStep]) -> Waiting | None:
    """Return the step that waits longest, with all scenes that wait for the same reason."""
    if not waits:
        return None
    first = waits[0]
    reason = (first.kind, first.code, first.model)
    same_reason = [wait for wait in waits if (wait.kind, wait.code, wait.model) == reason]
    return Waiting(
        code=first.code,
        detail=first.detail,
        stage=first.kind,
        scenes=sorted(wait.scene for wait in same_reason if wait.scene),
        provider=first.provider,
        model=first.model,
        since=first.since,
        until=min(wait.back_at for wait in same_reason),
    )


def _narration(narration: Narration, cost: SceneCost, link: LinkTo) -> NarrationObject:
    key, seconds = narration.audio_key, narration.seconds
    return NarrationObject(
        status=narration.status,
        text=narration.text,
        seconds=None if seconds is None else float(seconds),
        url=link(key),
        cost=cost,
        error=RunError.model_validate(narration.error) if narration.error else None,
    )


def _scene(
    frame: SceneImage,
    clip: Clip,
    image_cost: SceneCost,
    clip_cost: SceneCost,
    narration: NarrationObject | None,
    thumbnail_url: str | None,
    link: LinkTo,
) -> SceneObject:
    return SceneObject(
        index=frame.frame_number,
        status=_scene_status(
            frame.status, clip.status, narration.status if narration else "succeeded"
        ),
        timestamp=frame.timestamp,
        description=frame.description,
        prompt=frame.prompt,
        motion_prompt=frame.motion_prompt,
        image=_asset(frame, image_cost, link(frame.image_key)),
        clip=_asset(clip, clip_cost, link(clip.video_key)),
        narration=narration,
        thumbnail_url=thumbnail_url,
    )


def _scene_status(image: str, clip: str, narration: str) -> str:
    if "failed" in (image, clip, narration):
        return "failed"
    if clip == "succeeded":
        return "succeeded"
    if "canceled" in (image, clip, narration):
        return "canceled"
    return "queued" if (image, clip) == ("queued", "queued") else "running"


def _asset(row: SceneImage | Clip, cost: SceneCost, url: str | None) -> SceneAsset:
    return SceneAsset(
        status=row.status,
        version=row.version,
        url=url,
        cost=cost,
        error=RunError.model_validate(row.error) if row.error else None,
    )
