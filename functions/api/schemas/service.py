"""Answers about the service itself."""

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """The service answers, and its database does."""

    status: Literal["ok"] = "ok"
    stage: str
