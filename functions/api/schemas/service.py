"""Answers about the service itself."""

from typing import Literal

from common.model import Model


class Health(Model):
    """The service answers, and its database does."""

    status: Literal["ok"] = "ok"
    stage: str
