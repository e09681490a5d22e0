"""How a video is canceled, and the answer about it."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.cost import Money
from api.schemas.videos import VideoObject
from common.domain.errors import InvalidInput
from common.schemas.base import RequestSchema, Schema

PROVIDER_TOO = (
    "Also cancel the provider's jobs where that saves their cost. A clip that is finished is kept. "
    "A job that is billed anyway is left to finish, and its clip is collected later."
)
Billed = Literal["billed", "maybe", "not"]


class CancelVideo(RequestSchema):
    """How far a video is canceled; what is left out, or null, is what the query says."""

    provider: Annotated[bool | None, Field(description=PROVIDER_TOO)] = None

    def reaches_provider(self, query: bool | None) -> bool:
        """Decide between body and query, which may not contradict: jobs that end stay ended."""
        if None not in (self.provider, query) and self.provider != query:
            raise InvalidInput("It is not the `provider` of the query.", field="provider")
        return bool(self.provider or query)


class SceneBilling(Schema):
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


class Cancellation(Schema):
    """A canceled video."""

    video: VideoObject
    provider: bool = Field(description="Whether jobs at the provider were canceled too.")
    billing: Billing
