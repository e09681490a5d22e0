"""Request and response of canceling a video."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.cost import Money
from api.schemas.videos import VideoObject
from common.domain.errors import InvalidInput
from common.schemas.base import RequestSchema, Schema

PROVIDER_DESCRIPTION = (
    "Also cancel jobs at the provider if that avoids their cost. A finished clip is kept. A job "
    "that would be billed anyway continues, and its clip is collected later."
)
Billed = Literal["billed", "maybe", "not"]


class CancelVideo(RequestSchema):
    """Options for canceling a video. An omitted field takes its value from the query."""

    provider: Annotated[bool | None, Field(description=PROVIDER_DESCRIPTION)] = None

    def cancels_provider_jobs(self, query: bool | None) -> bool:
        """Combine body and query; raises InvalidInput if they differ.

        Canceled jobs cannot be restored, so a contradiction is not resolved by precedence.
        """
        if None not in (self.provider, query) and self.provider != query:
            raise InvalidInput(
                "`provider` differs between the body and the query. Send it once.", field="provider"
            )
        return bool(self.provider or query)


class SceneBilling(Schema):
    """Billing of a scene, by step: `image`, `clip` and `narration`."""

    scene: int = Field(description="Number of the scene, from 1.")
    steps: dict[str, Billed] = Field(description="Whether each step is billed.")


class Billing(Money):
    """Billing of a canceled video: `amount` is charged, and no more than `at_most`.

    A step is `maybe` billed while a call is in progress, or if its outcome is unknown.
    """

    at_most: str = Field(description="Upper bound of the charges in US dollars.")
    story: Billed = Field(description="Whether the story is billed.")
    scenes: list[SceneBilling] = Field(description="Billing of each scene.")


class Cancellation(Schema):
    """A canceled video."""

    video: VideoObject
    provider: bool = Field(description="Whether jobs at the provider were canceled, too.")
    billing: Billing
