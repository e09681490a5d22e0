"""What `make doctor` looks at. One function is one check, and answers with one finding."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from infra.config import Stage
from infra.operator import stack
from infra.operator.stack import StackState


class Level(StrEnum):
    """How much a finding matters: a failure stops what it is about, a warning does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What a check found: one sentence, and what to do about it."""

    level: Level
    text: str
    todo: str = ""


def ok(text: str) -> Finding:
    """Return that all is well."""
    return Finding(Level.OK, text)


def warn(text: str, todo: str = "") -> Finding:
    """Return what will work less well, or not for long."""
    return Finding(Level.WARN, text, todo)


def fail(text: str, todo: str = "") -> Finding:
    """Return what does not work."""
    return Finding(Level.FAIL, text, todo)


class Clients(Protocol):
    """Makes clients of AWS's services, or of the local cloud's."""

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True)
class Site:
    """A stage with its settings, and the account and region, or local cloud, that it is for."""

    stage: Stage
    clients: Clients
    region: str = ""

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return self.clients.client(service)

    @cached_property
    def stack(self) -> StackState | None:
        """The stage's stack; None before its first deployment. Raises ClientError."""
        return stack.find(self.client("cloudformation"), self.stage.stack_name)

    @cached_property
    def now(self) -> datetime:
        """The time at which all checks look."""
        return datetime.now(UTC)


Check = Callable[[Site], Finding]
