"""Scripted faults: which calls of an endpoint fail, and how.

These modes apply to any endpoint:

300 ... 599       a response with that status in the vendor's format; nothing is charged
504               the same, *after* the call was accepted and charged
429               without Retry-After; with the option `retry_after` (seconds) with it
page_502          a response with that status and an HTML page, as from a proxy
hang reset        before the call is processed; nothing is charged
truncated         the 2xx response ends in the middle        (accepted and charged)
html              200 with a page instead of JSON            (accepted and charged)
empty             2xx without a body                         (accepted and charged)
missing_id        2xx without the id                         (accepted and charged)
slow              the correct response, over `seconds`       (accepted and charged)
charge_then_X     the call is accepted and charged, then X: any status, page_X, hang, reset, ...
vector:NAME       the vector of that name, verbatim; a 2xx response to a paid call is charged

The modules of the vendors list the modes of single endpoints. The option `charged` overrides the
default. A call that the vendor would reject (validation, key, credits) is rejected in every mode
that accepts first: a fault does not make an invalid request valid.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock
from typing import Any

from tests.stand_ins import vectors
from tests.stand_ins.wire import Request, WireResponse, as_html, as_json

_ACCEPTING = frozenset({"504", "truncated", "html", "empty", "missing_id", "slow"})
_STATUSES = frozenset(str(status) for status in range(300, 600))
_PAGES = frozenset(f"page_{status}" for status in _STATUSES)
GENERAL = frozenset({*_STATUSES, *_PAGES, *_ACCEPTING, "hang", "reset"})
_THEN = "charge_then_"
_RETRY = ("retry-after", "retry-after-ms")


@dataclass(slots=True)
class Fault:
    """A scripted fault.

    It applies to the calls `call` (from 1, counted per endpoint since the start or the last reset)
    to `call + times - 1`, or without `call` to the next `times` calls. `times` None is unlimited.
    Calls whose path and body do not contain the text `containing` are skipped.
    """

    endpoint: str
    mode: str
    call: int | None = None
    times: int | None = 1
    containing: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode.startswith(_THEN):
            self.mode = self.mode.removeprefix(_THEN)
            self.options = {"charged": True, **self.options}

    def is_general(self) -> bool:
        """Return whether the mode applies to any endpoint."""
        return self.mode in GENERAL or self.mode.startswith("vector:")

    def accepts(self, *, paid: bool) -> bool:
        """Return whether the call is accepted (and charged, if paid) before it fails."""
        if "charged" in self.options:
            return bool(self.options["charged"])
        if self.mode.startswith("vector:"):
            return paid and vectors.answer(self.mode.removeprefix("vector:")).status < 300
        return self.mode in _ACCEPTING


class Script:
    """The pending faults, and the number of calls of each endpoint."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._calls: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults and reset the call counters."""
        with self._lock:
            self._faults.clear()
            self._calls.clear()

    def waiting(self) -> int:
        """Return the number of faults that have not been used up."""
        with self._lock:
            return len([fault for fault in self._faults if fault.times is not None])

    def take(self, endpoint: str, request: Request) -> Fault | None:
        """Count the call and return its fault, if any."""
        with self._lock:
            self._calls[endpoint] += 1
            number = self._calls[endpoint]
            for fault in self._faults:
                if not _matches(fault, endpoint, request):
                    continue
                if fault.call is not None and number < fault.call:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return replace(fault)
        return None


def _matches(fault: Fault, endpoint: str, request: Request) -> bool:
    if fault.endpoint not in ("*", endpoint):
        return False
    return not fault.containing or fault.containing.encode() in b"\n".join(
        (request.path.encode(), request.body)
    )


def apply_fault(
    fault: Fault, real: WireResponse | None, spoken: Mapping[str, WireResponse], id_key: str
) -> WireResponse:
    """Return the response of the fault.

    `real` is the correct response if the call was accepted. `spoken` maps a status to the vendor's
    error response. `id_key` is the JSON key of ids.
    """
    mode, options = fault.mode, fault.options
    if mode.startswith("vector:"):
        return vectors.answer(mode.removeprefix("vector:"))
    if mode in ("hang", "reset"):
        return WireResponse(0, delivery=mode, seconds=float(options.get("seconds", 0)))
    if mode in _PAGES:
        return _page(mode.removeprefix("page_"))
    if mode in _STATUSES:
        return _status(mode, spoken, options.get("retry_after"))
    answer = real or as_json(200, {})
    if mode == "truncated":
        return replace(answer, delivery="cut")
    if mode == "slow":
        return replace(answer, delivery="slow", seconds=float(options.get("seconds", 1)))
    if mode == "html":
        return as_html(200, "Please wait")
    if mode == "empty":
        return replace(answer, body=b"")
    return _without(answer, id_key)


def _status(
    mode: str, spoken: Mapping[str, WireResponse], retry_after: float | None
) -> WireResponse:
    answer = spoken.get(mode) or _page(mode)
    headers = {name: value for name, value in answer.headers.items() if name not in _RETRY}
    if retry_after is not None:
        headers["retry-after"] = f"{retry_after:g}"
    return replace(answer, headers=headers)


def _page(status: str) -> WireResponse:
    known = {known.value: known.phrase for known in HTTPStatus}
    answer = as_html(int(status), known.get(int(status), "Unknown"))
    return answer.plus({"location": "/elsewhere"}) if status < "400" else answer


def _without(answer: WireResponse, key: str) -> WireResponse:
    value = {name: v for name, v in answer.json().items() if name != key}
    return replace(answer, body=as_json(200, value).body)
