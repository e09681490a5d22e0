"""The process of a stand-in: `python -m tests.stand_ins.child NAME OPTIONS`.

It serves the vendor's hosts and, on a separate port, the control API
(POST /_control/NAME, JSON in and out). It ends when its parent process ends.
"""

import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stand_ins import vectors
from tests.stand_ins.charge_book import ChargeBook, fingerprint
from tests.stand_ins.faults import Fault, Script, apply_fault
from tests.stand_ins.vendor import Clock, Context, Vendor
from tests.stand_ins.wire import Request, Server, WireResponse, as_json

_WATCH_SECONDS = 0.2


class RequestHandler:
    """Handles requests: finds the endpoint and the fault, and records charges and requests."""

    def __init__(self, vendor: Vendor, context: Context) -> None:
        self.vendor, self.context, self.script = vendor, context, Script()
        self.servers: dict[str, Server] = {}
        self.crashes: list[str] = []

    def open(self, port: int) -> None:
        """Start the servers; the API listens on `port` (0: any free port)."""
        for host in self.vendor.hosts:
            server = Server(lambda request, host=host: self.answer(host, request), port)  # type: ignore[misc]  # a lambda's default is not inferred
            self.servers[host], port = server, 0
            self.context.urls[host] = server.url

    def answer(self, host: str, request: Request) -> WireResponse:
        """Return the response to a request."""
        try:
            self.vendor.settle()
            endpoint = self.vendor.endpoint(host, request)
            fault = self.script.take(endpoint, request) if endpoint else None
            answer = self._answer(endpoint, request, fault)
        except Exception:
            # A bug of the stand-in must not look like a failure of the vendor. It is reported to
            # the test when the stand-in is closed.
            self.crashes.append(traceback.format_exc())
            endpoint, fault, answer = None, None, WireResponse(500, b"The stand-in crashed.")
        verbatim = fault is not None and fault.mode.startswith("vector:")
        if not verbatim:
            answer = self.vendor.dress(host, answer)
        self.context.book.request(
            *(self.context.clock.now(), endpoint, request.method, request.path, answer.status),
            *(answer.delivery, fault.mode if fault else None),
            fingerprint(request.method, request.path, request.body),
            headers=dict(request.headers),
        )
        return answer

    def _answer(self, endpoint: str | None, request: Request, fault: Fault | None) -> WireResponse:
        if endpoint is None:
            return self.vendor.unknown(request)
        if fault is None or not fault.is_general():
            return self.vendor.answer(endpoint, request, fault)
        real = None
        if fault.accepts(paid=endpoint in self.vendor.paid):
            real = self.vendor.answer(endpoint, request, fault)
            if real.status >= 300:
                return real
        return apply_fault(fault, real, self.vendor.spoken, self.vendor.id_key)

    # -- control port ------------------------------------------------------------------------------
    def control(self, request: Request) -> WireResponse:
        """Handle a request to the control API."""
        name = request.path.removeprefix("/_control/")
        try:
            return as_json(200, self._control(name, request.json() if request.body else {}))
        except (KeyError, TypeError, ValueError) as error:
            return as_json(400, {"error": f"{name}: {error}"})

    def _control(self, name: str, body: dict[str, Any]) -> Any:
        self.vendor.settle()
        book = self.context.book
        verbs: dict[str, Callable[..., Any]] = {
            "facts": self.facts,
            "charges": lambda: [charge.as_json() for charge in book.charges()],
            "requests": book.requests,
            "leaks": book.leaks,
            "crashes": lambda: self.crashes,
            "waiting": self.script.waiting,
            "clear": self.script.clear,
            "fault": lambda **fault: self._add(Fault(**fault)),
            "advance": self.context.clock.advance,
            "options": lambda **options: self.context.options.update(
                check_options(self.vendor, options)
            ),
            "listen": self._listen,
            "let_go": self._let_go,
        }
        return verbs[name](**body) if name in verbs else self.vendor.control(name, body)

    def _listen(self, *, to: bool) -> None:
        for server in self.servers.values():
            if to:
                server.open()
            else:
                server.close()

    def _let_go(self) -> None:
        for server in self.servers.values():
            server.release_hanging_calls()

    def _add(self, fault: Fault) -> None:
        own_modes = self.vendor.modes
        if fault.endpoint not in own_modes and fault.endpoint != "*":
            raise ValueError(
                f"unknown endpoint '{fault.endpoint}'; choose one of {', '.join(own_modes)}"
            )
        if fault.mode.startswith("vector:"):
            vectors.answer(fault.mode.removeprefix("vector:"))
        elif not fault.is_general() and fault.mode not in own_modes.get(fault.endpoint, ()):
            allowed = ", ".join(sorted(own_modes.get(fault.endpoint, ()))) or "none"
            raise ValueError(
                f"unknown mode '{fault.mode}' of the endpoint; its own modes: {allowed}"
            )
        self.script.add(fault)

    def facts(self) -> dict[str, Any]:
        """Return the settings of a client."""
        return {
            "vendor": self.vendor.name,
            "url": self.context.urls[self.vendor.hosts[0]],
            "urls": self.context.urls,
            **self.vendor.facts(),
        }


def check_options(vendor: Vendor, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options. Raises ValueError for an unknown option."""
    if strange := set(options) - set(vendor.defaults):
        raise ValueError(f"unknown options {strange}; choose from {sorted(vendor.defaults)}")
    return options


def main(name: str, settings: str) -> None:
    """Serve until the parent process ends."""
    given = json.loads(settings)
    folder = Path(given["folder"])
    context = Context(ChargeBook(folder, name), Clock(), folder, {})
    vendor: Vendor = importlib.import_module(f"tests.stand_ins.{name}").create(context)
    context.options.update({**vendor.defaults, **check_options(vendor, given["options"])})
    counter = RequestHandler(vendor, context)
    counter.open(given["port"])
    control = Server(counter.control)
    sys.stdout.write(json.dumps({"control_url": control.url}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with, args=(given["parent"],), daemon=True).start()
    threading.Event().wait()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
