"""What a stand-in is made of: a vendor's behaviour, and the desk it works at."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.stand_ins.charge_book import ChargeBook
from tests.stand_ins.faults import Fault
from tests.stand_ins.wire import Answer, Request


class Clock:
    """The stand-in's own time: the real one, plus what a test has added."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds


@dataclass(slots=True)
class Desk:
    """What a vendor works with. `options` may change while it runs; `urls` are by host."""

    book: ChargeBook
    clock: Clock
    folder: Path
    options: dict[str, Any]
    urls: dict[str, str] = field(default_factory=dict)


class Vendor(Protocol):
    """One vendor's behaviour.

    name      of the vendor, and of its file of charges
    hosts     names of the servers that it has; the first is the API
    defaults  options and their defaults; `serve` refuses others
    id_key    JSON key under which an id is given out
    spoken    status such as "503" -> how this vendor says it
    paid      names of the endpoints that cost money
    modes     endpoint -> fault modes that only it knows
    """

    name: str
    hosts: tuple[str, ...]
    defaults: dict[str, Any]
    id_key: str
    spoken: Mapping[str, Answer]
    paid: frozenset[str]
    modes: Mapping[str, frozenset[str]]

    def endpoint(self, host: str, request: Request) -> str | None:
        """Return the name of the endpoint that is meant."""
        ...

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked; heed `fault` if it is of the endpoint's own modes."""
        ...

    def unknown(self, request: Request) -> Answer:
        """Answer a request that means no endpoint."""
        ...

    def dress(self, host: str, answer: Answer) -> Answer:
        """Put on the headers that every answer of that host has."""
        ...

    def settle(self) -> None:
        """Book what has come to pass by the clock; called before anybody looks."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what a client must know: `base_url`, `api_key`."""
        ...

    def control(self, name: str, body: dict[str, Any]) -> Any:
        """Do what only this vendor's control port knows; KeyError if it does not."""
        ...
