"""The answer about a video that was canceled."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import Money
from api.schemas.videos import VideoObject

Billed = Literal["billed", "maybe", "not"]


class SceneBilling(BaseModel):
    """Whether the provider bills a scene's picture, clip and narration."""

    scene: int
    steps: dict[str, Billed]


class Billing(Money):
    """What is billed: `amount` for certain, and nothing above `at_most`.

    `maybe`: a call is under way, or its end is not known.
    """

    at_most: str
    story: Billed
    scenes: list[SceneBilling]


class Cancellation(BaseModel):
    """A canceled video."""

    video: VideoObject
    provider: bool = Field(description="Whether jobs at the provider were canceled too.")
    billing: Billing
