"""Answers about models and what they cost."""

from datetime import date
from typing import Literal

from pydantic import Field

from api.schemas.videos import Units, VideoOrigin
from common.schemas.base import Schema


class ModelObject(Schema):
    """A model: what it takes, what it costs, and whether it can be used with the keys set."""

    kind: Literal["text", "image", "video", "speech"]
    provider: str
    model: str
    label: str
    default: bool
    usable: bool
    chosen: bool = Field(description="The one that this stage takes by itself.")
    ratios: list[str]
    seconds: list[int]
    limits: dict[str, int] = Field(
        description="Of a prompt, and what all runs together may do in a minute or at once."
    )
    price: dict[str, str]
    shutdown: date | None


class ModelList(Schema):
    """All models of all providers."""

    data: list[ModelObject]


class SceneEstimate(Schema):
    """US dollars for one scene."""

    scene: int
    image: str
    clip: str
    clip_units: Units | None = Field(description="The clip in its provider's own units.")
    narration: str


class Estimate(Schema):
    """What a video would cost, by step and scene, in US dollars. Nothing is stored or started."""

    total: str
    story: str
    scenes: list[SceneEstimate]
    currency: Literal["USD"] = "USD"
    models: dict[str, VideoOrigin]
    warnings: list[str] = Field(description="For example of a model that ends soon.")
