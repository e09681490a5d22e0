"""Responses about models and cost estimates."""

from datetime import date
from typing import Literal

from pydantic import Field

from api.schemas.videos import Units, VideoOrigin
from common.schemas.base import Schema


class ModelObject(Schema):
    """A model with its limits and prices.

    It is `usable` if the API key of its provider is configured.
    """

    kind: Literal["text", "image", "video", "speech"] = Field(description="Kind of task.")
    provider: str = Field(description="Name of the provider.")
    model: str = Field(description="Name of the model.")
    label: str = Field(description="Display name.")
    default: bool = Field(description="Whether it is the default model of its provider.")
    usable: bool = Field(
        description="Whether the provider's API key is configured, if it needs one."
    )
    chosen: bool = Field(description="Whether this deployment uses the model by default.")
    ratios: list[str] = Field(description="Supported ratios, as width and height in pixels.")
    seconds: list[int] = Field(description="Possible clip durations in seconds.")
    limits: dict[str, int] = Field(
        description="Limits of a prompt, and of calls by all runs per minute or at the same time."
    )
    price: dict[str, str] = Field(description="Prices in US dollars, as decimal strings.")
    shutdown: date | None = Field(description="Date on which the provider shuts the model down.")


class ModelList(Schema):
    """A list of all models of all providers."""

    data: list[ModelObject] = Field(description="All models.")


class SceneEstimate(Schema):
    """Estimated cost of a scene in US dollars."""

    scene: int = Field(description="Number of the scene, from 1.")
    image: str = Field(description="Cost of the image.")
    clip: str = Field(description="Cost of the clip.")
    clip_units: Units | None = Field(description="Cost of the clip in units of the provider.")
    narration: str = Field(description="Cost of the narration.")


class Estimate(Schema):
    """Estimated cost of a video in US dollars, by step and scene."""

    total: str = Field(description="Cost of the video.")
    story: str = Field(description="Cost of the story.")
    scenes: list[SceneEstimate] = Field(description="Cost of each scene.")
    currency: Literal["USD"] = Field(default="USD", description="Always USD.")
    models: dict[str, VideoOrigin] = Field(description="Models by kind of task.")
    warnings: list[str] = Field(description="For example, that a model will be shut down soon.")
