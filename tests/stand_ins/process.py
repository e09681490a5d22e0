"""Running a stand-in in a separate process, and controlling it.

    with openai.serve(tmp_path) as vendor:           # or runway.serve, bedrock.serve
        client = OpenAI(base_url=vendor.base_url, api_key=vendor.api_key)
        vendor.fault("images.edits", "charge_then_500", call=2)
        ...
        assert [charge.prompt for charge in vendor.charges()] == [...]
        assert vendor.leaks() == []

The state is in that process: workers in other processes that use the same URLs share charges, clock
and faults. `StandIn(control_url)` connects to a running stand-in.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tests.stand_ins.charge_book import Charge

_PROJECT = Path(__file__).parent.parent.parent
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StandIn:
    """A running stand-in, controlled by a test.

    url       URL of the API without a path; `base_url` is the one for the vendor's SDK
    urls      URL by host: Runway has `api` and `media`
    api_key   the accepted key (Bedrock: none)
    """

    def __init__(self, control_url: str) -> None:
        self.control_url = control_url
        facts = self.control("facts")
        self.url: str = facts["url"]
        self.urls: dict[str, str] = facts["urls"]
        self.base_url: str = facts["base_url"]
        self.api_key: str = facts["api_key"]

    def fault(
        self,
        endpoint: str,
        mode: str,
        *,
        call: int | None = None,
        times: int | None = 1,
        containing: str = "",
        **options: Any,
    ) -> None:
        """Add a fault; `tests.stand_ins.faults` and the vendor's module list the modes."""
        self.control(
            "fault",
            endpoint=endpoint,
            mode=mode,
            call=call,
            times=times,
            containing=containing,
            options=options,
        )

    def charges(self) -> list[Charge]:
        """Return the charges without refunds."""
        return [charge for charge in self.bookings() if charge.kind != "refund"]

    def bookings(self) -> list[Charge]:
        """Return the charges with refunds (kind `refund`, negative amounts)."""
        return [Charge.from_json(row) for row in self.control("charges")]

    def requests(self, endpoint: str = "") -> list[dict[str, Any]]:
        """Return every request: at, endpoint, method, path, status, fault, headers."""
        rows: list[dict[str, Any]] = self.control("requests")
        return [row for row in rows if not endpoint or row["endpoint"] == endpoint]

    def leaks(self) -> list[dict[str, Any]]:
        """Return the requests that sent an API key to a host that must not receive it."""
        rows: list[dict[str, Any]] = self.control("leaks")
        return rows

    def waiting(self) -> int:
        """Return the number of pending faults."""
        return int(self.control("waiting"))

    def clear(self) -> None:
        """Remove all faults and reset the call counters; keep charges and requests."""
        self.control("clear")

    def advance(self, seconds: float) -> None:
        """Advance the stand-in's clock: jobs finish, URLs expire."""
        self.control("advance", seconds=seconds)

    def set(self, **options: Any) -> None:
        """Change options of the running stand-in."""
        self.control("options", **options)

    def release_hanging_calls(self) -> None:
        """Close the connections of hanging calls without a response."""
        self.control("let_go")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections within the context; open connections are closed."""
        self.control("listen", to=False)
        try:
            yield
        finally:
            self.control("listen", to=True)

    def control(self, name: str, **body: Any) -> Any:
        """Send a request to the control API. Raises ValueError with the reason of an error."""
        request = urllib.request.Request(
            f"{self.control_url}/_control/{name}", json.dumps(body).encode(), method="POST"
        )
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise ValueError(error.read().decode()) from None


@contextmanager
def serve(name: str, folder: Path, port: int = 0, **options: Any) -> Iterator[StandIn]:
    """Run the stand-in `name` within the context; its charge book is in `folder`.

    Raises AssertionError at the end if the stand-in itself has crashed.
    """
    settings = {"folder": str(folder), "parent": os.getpid(), "port": port, "options": options}
    command = [sys.executable, "-m", "tests.stand_ins.child", name, json.dumps(settings)]
    with subprocess.Popen(command, cwd=_PROJECT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"The stand-in '{name}' did not start: exit {child.wait()}.")
            stand_in = StandIn(json.loads(line)["control_url"])
            yield stand_in
            crashes = stand_in.control("crashes")
            assert not crashes, "The stand-in itself crashed:\n" + "\n".join(crashes)
        finally:
            child.terminate()
