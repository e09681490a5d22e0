"""Responses about the service itself."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Schema


class Health(Schema):
    """Health of the service: the API and its database respond."""

    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")
    stage: str = Field(description="Name of the deployment stage.")
