"""Responses about videos. Their requests are in `common.schemas.requests`."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from api.schemas.cost import CostBreakdown, Money
from api.schemas.output import Output
from common.domain import advice
from common.domain.advice import NextAction
from common.schemas.base import Schema
from common.schemas.output import OutputSpec


class UnitsInUsd(Money):
    """Estimated cost of the same video with the default models of the paid providers."""

    models: list[str] = Field(description="Models of the estimate.")


class Units(Schema):
    """An amount in units of a provider, for example credits."""

    amount: str = Field(description="Amount as a decimal string.")
    unit: str = Field(description="Name of the unit.")


class SceneCost(CostBreakdown):
    """Cost of an image, clip or narration over all its attempts."""

    amount: str | None = Field(description="Confirmed charges; null until known.")
    estimated: str = Field(description="Estimated cost in US dollars.")
    estimated_units: Units | None = Field(
        description="Estimate in units of the provider; only for clips."
    )
    units: Units | None = Field(description="`amount` in units of the provider.")
    possible_duplicate: bool = Field(
        description="Whether a second call may have been charged for the same result."
    )


class Costs(CostBreakdown):
    """Estimated and actual cost of a video."""

    estimated: str = Field(description="Estimated cost in US dollars.")
    actual: str = Field(description="Confirmed charges.")
    max: str | None = Field(description="Spend cap of the video (`max_cost`).")
    equivalent: UnitsInUsd


class VideoOrigin(Schema):
    """A model used for the video. `label` is its display name."""

    provider: str = Field(description="Name of the provider.")
    model: str = Field(description="Name of the model.")
    label: str = Field(description="Display name.")


class RunError(Schema):
    """Reason why a step failed. docs/errors.md lists all codes.

    If `retryable`, resuming without changes can succeed. `billed` is null if unknown.
    """

    code: str = Field(description="Error code, see docs/errors.md.")
    stage: str = Field(description="Stage that failed.")
    scene: int | None = Field(
        description="Number of the scene, from 1; null if the error is not about a scene."
    )
    detail: str = Field(description="Explanation for people; may change.")
    retryable: bool = Field(description="Whether resuming without changes can succeed.")
    billed: bool | None = Field(
        description="Whether the provider charged the step; null if unknown."
    )
    next_action: NextAction = Field(description="Recommended action to finish the video.")

    @model_validator(mode="before")
    @classmethod
    def _add_next_action(cls, data: Any) -> Any:
        """Add the field that rows of the previous release lack."""
        if isinstance(data, dict) and "next_action" not in data:
            return {**data, "next_action": advice.of(data["code"]).action}
        return data


class Waiting(Schema):
    """Reason why steps wait for a provider. Other scenes continue meanwhile."""

    code: str = Field(description="Code of the reason.")
    detail: str = Field(description="Explanation for people; may change.")
    stage: str = Field(description="Stage that waits.")
    scenes: list[int] = Field(description="Waiting scenes; empty for the story.")
    provider: str = Field(description="Name of the provider.")
    model: str = Field(description="Name of the model.")
    since: datetime = Field(description="Time since which the first step waits.")
    until: datetime = Field(description="Time of the next attempt.")


class SceneAsset(Schema):
    """An image or clip of a scene."""

    status: str = Field(description="Status of the image or clip.")
    version: int = Field(description="Version of the image or clip, from 1.")
    url: str | None = Field(
        description="Signed link, valid for an hour, which needs no API key; null until finished."
    )
    cost: SceneCost
    error: RunError | None = Field(description="Reason of the failure.")


class NarrationObject(Schema):
    """The narration of a scene. `seconds` is the duration of its audio."""

    status: str = Field(description="Status of the narration.")
    text: str = Field(description="Text of the narration.")
    seconds: float | None = Field(description="Duration in seconds; null until it is spoken.")
    url: str | None = Field(description="Signed link to the audio; null until it is spoken.")
    cost: SceneCost
    error: RunError | None = Field(description="Reason of the failure.")


class SceneObject(Schema):
    """A scene with its text, image, clip and narration."""

    index: int = Field(description="Number of the scene, from 1.")
    status: str = Field(description="Status of the scene.")
    timestamp: str = Field(description="Start of the scene, as `m:ss`.")
    description: str = Field(description="Description of the scene.")
    prompt: str = Field(description="Prompt of the image.")
    motion_prompt: str = Field(description="Motion of the subject and the camera.")
    image: SceneAsset
    clip: SceneAsset
    narration: NarrationObject | None = Field(description="Null if the video is not narrated.")
    thumbnail_url: str | None = Field(description="Null until the video is finished.")


class Links(Schema):
    """Paths of related resources, relative to the base URL of the API."""

    self: str = Field(description="The video.")
    download: str = Field(description="Download link.")
    resume: str = Field(description="POST here to resume the video.")
    cancel: str = Field(description="POST here to cancel the video.")
    events: str = Field(description="Events of the video.")
    console: str | None = Field(
        description="URL of the run in the AWS console; null for a local deployment."
    )
    trace: str | None = Field(
        description="URL of the run's trace in the AWS console; null if it was not sampled."
    )


class VideoObject(Schema):
    """A video with its status, scenes, output and cost."""

    id: str = Field(description="Id of the video.")
    object: Literal["video"] = Field(default="video", description="Always `video`.")
    user_id: str = Field(description="Owner of the video.")
    request_id: str | None = Field(
        description="Name given by the owner; it can be used in place of the id."
    )
    status: Literal["queued", "running", "succeeded", "failed", "canceled"] = Field(
        description="Status of the video."
    )
    stage: str = Field(description="Stage that the run is working on.")
    progress: int = Field(description="Progress in percent.")
    prompt: str = Field(description="Prompt of the video.")
    style: str = Field(description="Visual style.")
    mood: str = Field(description="Mood.")
    ratio: str = Field(description="Width and height in pixels.")
    seconds_per_scene: int = Field(description="Duration of a scene in seconds.")
    scene_count: int = Field(description="Number of scenes.")
    seed: int = Field(description="Seed of the generation.")
    title: str | None = Field(description="Title of the story; null until it is finished.")
    overview: str | None = Field(description="Summary of the story; null until it is finished.")
    models: dict[str, VideoOrigin] = Field(description="Models by kind of task.")
    reference_url: str | None = Field(description="Reference image; null in lists.")
    scenes: list[SceneObject] | None = Field(
        description="Null in lists, and until the story is finished."
    )
    output: Output | None = Field(description="Null until the video is finished.")
    requested_output: OutputSpec
    error: RunError | None = Field(description="Reason of the failure.")
    waiting: Waiting | None = Field(description="Null in lists, and if nothing waits.")
    warnings: list[str] = Field(
        description="Deviations from the request, for example captions that could not be burned "
        "in, a narration that was shortened or sped up, an HDR clip that was converted, or a model "
        "that will be shut down soon."
    )
    cost: Costs
    metadata: dict[str, str] = Field(description="Key-value pairs of the request.")
    source: str = Field(
        description="`api`, or the key of the object in the inbox that requested the video."
    )
    run_id: str = Field(description="Id of the last run.")
    trace_id: str | None = Field(
        description="AWS X-Ray trace id of the request that started the run; null for a local "
        "deployment."
    )
    created_at: datetime = Field(description="Time of creation.")
    started_at: datetime | None = Field(description="Time at which the last run started.")
    completed_at: datetime | None = Field(description="Time at which the last run ended.")
    links: Links


class VideoPage(Schema):
    """A page of videos, newest first. `next_cursor` is null on the last page."""

    data: list[VideoObject] = Field(description="Items of the page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")


class Download(Schema):
    """A download link to the finished video."""

    url: str = Field(description="Signed link to the video, as a download.")
    expires_at: datetime = Field(description="Time at which the link expires.")
    filename: str = Field(description="Suggested file name.")
    size_bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 checksum as hex digits.")
