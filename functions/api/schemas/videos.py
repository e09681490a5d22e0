"""Answers about videos. What is asked for is in `common.schemas.requests`."""

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
    """What the same video costs with the default models of the paid providers."""

    models: list[str]


class Units(Schema):
    """An amount in a provider's own units."""

    amount: str
    unit: str


class SceneCost(CostBreakdown):
    """What a picture or clip cost, or will cost."""

    amount: str | None = Field(description="Charged for certain; null until it is known.")
    estimated: str
    estimated_units: Units | None = Field(description="Of clips; others are priced by tokens.")
    units: Units | None = Field(description="Of `amount`.")
    possible_duplicate: bool = Field(description="A second call may have been charged too.")


class Costs(CostBreakdown):
    """What was estimated, and what was charged so far: for certain, still open, and possibly."""

    estimated: str
    actual: str = Field(description="Charged for certain.")
    max: str | None
    equivalent: UnitsInUsd


class VideoOrigin(Schema):
    """Which model made it, and what that is in plain words."""

    provider: str
    model: str
    label: str


class RunError(Schema):
    """Why a step failed, and what to do (docs/errors.md).

    `retryable`: a resume without changes can succeed. `billed`: null if unknown.
    """

    code: str
    stage: str
    scene: int | None
    detail: str
    retryable: bool
    billed: bool | None
    next_action: NextAction = Field(description="What leads to a finished video.")

    @model_validator(mode="before")
    @classmethod
    def _advised(cls, data: Any) -> Any:
        """Add what rows of the previous release do not have."""
        if isinstance(data, dict) and "next_action" not in data:
            return {**data, "next_action": advice.of(data["code"]).action}
        return data


class Waiting(Schema):
    """What a run waits for at a provider. Scenes that do not wait go on meanwhile."""

    code: str
    detail: str
    stage: str
    scenes: list[int] = Field(description="Empty for the story.")
    provider: str
    model: str
    since: datetime
    until: datetime = Field(description="When the first of them tries again.")


class SceneAsset(Schema):
    """A picture or clip of a scene."""

    status: str
    version: int
    url: str | None = Field(description="Read without a key for an hour; null until it is made.")
    cost: SceneCost
    error: RunError | None


class NarrationObject(Schema):
    """What is said in a scene. `seconds` is how long it takes as spoken."""

    status: str
    text: str
    seconds: float | None
    url: str | None
    cost: SceneCost
    error: RunError | None


class SceneObject(Schema):
    """One scene: its text, its picture and its clip."""

    index: int = Field(description="Counts from 1.")
    status: str
    timestamp: str
    description: str
    prompt: str
    motion_prompt: str
    image: SceneAsset
    clip: SceneAsset
    narration: NarrationObject | None = Field(description="Null where nobody speaks.")
    thumbnail_url: str | None = Field(description="Once the video is finished.")


class Links(Schema):
    """Where to go from here, relative to the API's address."""

    self: str
    download: str
    resume: str
    cancel: str
    events: str
    console: str | None = Field(description="The run in the console of AWS; null on one machine.")
    trace: str | None = Field(
        description="The run's trace in the console of AWS, where it was sampled; null without one."
    )


class VideoObject(Schema):
    """A video."""

    id: str
    object: Literal["video"] = "video"
    user_id: str
    request_id: str | None = Field(description="The name that its owner gave it; leads to it too.")
    status: Literal["queued", "running", "succeeded", "failed", "canceled"]
    stage: str
    progress: int = Field(description="Percent.")
    prompt: str
    style: str
    mood: str
    ratio: str
    seconds_per_scene: int
    scene_count: int
    seed: int
    title: str | None
    overview: str | None
    models: dict[str, VideoOrigin]
    reference_url: str | None = Field(description="The reference picture; left out in lists.")
    scenes: list[SceneObject] | None = Field(description="Left out in lists, and before the story.")
    output: Output | None = Field(description="Null until the video is finished.")
    requested_output: OutputSpec
    error: RunError | None
    waiting: Waiting | None = Field(description="Left out in lists.")
    warnings: list[str] = Field(
        description="What differs from the request, or will: captions that could not be drawn, "
        "a narration that was shortened or hurried, a clip in HDR that was converted, a model "
        "that ends soon."
    )
    cost: Costs
    metadata: dict[str, str]
    source: str = Field(description="`api`, or the object in the inbox that asked for it.")
    run_id: str
    trace_id: str | None = Field(
        description="Of the run, in AWS X-Ray; that of the request that started it. Null on one "
        "machine."
    )
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    links: Links


class VideoPage(Schema):
    """Videos, newest first. `next_cursor` leads to older ones; null on the last page."""

    data: list[VideoObject]
    next_cursor: str | None


class Download(Schema):
    """A fresh link to the finished video."""

    url: str
    expires_at: datetime
    filename: str
    size_bytes: int
    sha256: str
