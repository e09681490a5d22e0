"""The checks of `make doctor`. Each check is a function from a `Site` to a `Finding`."""

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
    """Severity of a finding. Only FAIL makes `make doctor` exit with status 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """Result of a check: a sentence, and the fix if there is a problem."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """Return a finding that reports no problem."""
    return Finding(Level.OK, text)


def warn(text: str, remedy: str = "") -> Finding:
    """Return a finding for a problem that does not stop the stage from working."""
    return Finding(Level.WARN, text, remedy)


def fail(text: str, remedy: str = "") -> Finding:
    """Return a finding for a problem that stops the stage, or part of it, from working."""
    return Finding(Level.FAIL, text, remedy)


class Clients(Protocol):
    """A factory of clients for the services of AWS or of the local cloud."""

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True)
class Site:
    """A stage with its settings, and the account and region, or local cloud, that it runs in."""

    stage: Stage
    clients: Clients
    region: str = ""

    def client(self, service: str) -> Any:
        """Return a client for the service."""
        return self.clients.client(service)

    @cached_property
    def stack(self) -> StackState | None:
        """The stage's stack; None before its first deployment. Raises ClientError."""
        return stack.find(self.client("cloudformation"), self.stage.stack_name)

    @cached_property
    def now(self) -> datetime:
        """The current time in UTC, the same for all checks."""
        return datetime.now(UTC)


Check = Callable[[Site], Finding]
