"""The interfaces of a stand-in: the vendor's behaviour and its context."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.stand_ins.charge_book import ChargeBook
from tests.stand_ins.faults import Fault
from tests.stand_ins.wire import Request, WireResponse


class Clock:
    """The stand-in's clock: the real time plus the offset set by tests."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._ahead += seconds


@dataclass(slots=True)
class Context:
    """The resources of a vendor. `options` may change while it runs; `urls` are by host."""

    book: ChargeBook
    clock: Clock
    folder: Path
    options: dict[str, Any]
    urls: dict[str, str] = field(default_factory=dict)


class Vendor(Protocol):
    """The behaviour of a vendor.

    name      name of the vendor and of its charge book
    hosts     names of its servers; the first is the API
    defaults  options and their defaults; `serve` rejects others
    id_key    JSON key of returned ids
    spoken    status such as "503" -> the vendor's error response
    paid      names of the paid endpoints
    modes     endpoint -> its own fault modes
    """

    name: str
    hosts: tuple[str, ...]
    defaults: dict[str, Any]
    id_key: str
    spoken: Mapping[str, WireResponse]
    paid: frozenset[str]
    modes: Mapping[str, frozenset[str]]

    def endpoint(self, host: str, request: Request) -> str | None:
        """Return the name of the requested endpoint."""
        ...

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        """Process a request, applying `fault` if it is one of the endpoint's own modes."""
        ...

    def unknown(self, request: Request) -> WireResponse:
        """Return the response to a request for no known endpoint."""
        ...

    def dress(self, host: str, answer: WireResponse) -> WireResponse:
        """Add the headers of every response of the host."""
        ...

    def settle(self) -> None:
        """Record charges and refunds that are due; called before every read."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return the settings of a client: `base_url`, `api_key`."""
        ...

    def control(self, name: str, body: dict[str, Any]) -> Any:
        """Handle a control request of this vendor. Raises KeyError if it is unknown."""
        ...
