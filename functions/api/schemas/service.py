"""Answers about the service itself."""

from typing import Literal

from common.schemas.base import Schema


class Health(Schema):
    """The service answers, and its database does."""

    status: Literal["ok"] = "ok"
    stage: str
