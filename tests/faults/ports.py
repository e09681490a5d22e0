"""Fault injection at the three ports of a worker: HTTP, S3 and SQL.

HTTP   urllib3 (used by `requests`, botocore and the secrets client) and httpx2 (OpenAI's SDK):
       calls to providers, downloads, the secret of their keys
S3     HTTP to the S3 server
SQL    the connect, each statement, each end of a transaction (`sql_port`)

Each port call (passage) is numbered from 1 for the lifetime of the worker and has a name, such as
`sql INSERT provider_jobs` or `http POST openai /v1/responses`. A `Strike` selects passages and
their fault:

kill_before kill_after   SIGKILL of the worker
cut                      the request is not sent; the connection breaks
lost                     the request is processed; the connection breaks before the response
refused                  connection refused (HTTP, S3, and the connect of SQL)
hasty                    the timeout is half a second instead of minutes (HTTP)
s3_CODE                  S3 returns that status; s3_cut: half of the body, s3_hang: nothing
sql_CODE                 PostgreSQL raises that SQLSTATE; sql_25006 makes the transaction
                         read-only, as after a failover; sql_53300 connects as a role whose
                         connections are exhausted
"""

import io
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from tests.faults import sql_port
from tests.faults.sql_port import CLOSED_PORT
from tests.stand_ins.wire import HOST

_HASTE_SECONDS = 0.5
_S3_SAYS = {
    "500": "InternalError",
    "503": "SlowDown",
    "403": "AccessDenied",
    "404": "NoSuchKey",
}


@dataclass(frozen=True)
class Strike:
    """A selection of passages and their fault (see the module).

    Selected by number (`at`), or by the state of the worker, the prefix of the name, and the number
    of such passages to skip (`skip`), counted from a passage whose name starts with `after` in that
    state. `times` is the number of consecutive passages; None is unlimited.
    """

    how: str
    at: int | None = None
    state: str | None = None
    name: str = ""
    skip: int = 0
    after: str = ""
    times: int | None = 1

    def as_json(self) -> dict[str, Any]:
        """Return the strike as JSON values."""
        return asdict(self)


class Ports:
    """Numbers the passages and injects faults."""

    def __init__(self, strikes: list[Strike], owners: dict[str, str]) -> None:
        self.state = ""
        self.passed: list[str] = []
        self._strikes = strikes
        self._met = [0] * len(strikes)
        self._armed = [not strike.after for strike in strikes]
        self._owners = owners  # port number -> name of the server
        self._lock = Lock()
        self._tell: Callable[[str], None] = lambda _: None

    def open(self, tell: Callable[[str], None]) -> None:
        """Install the ports; `tell` is called with the passage's name before a kill."""
        self._tell = tell
        self._open_urllib3()
        self._open_httpx()
        sql_port.open_port(self)

    def enter(self, name: str) -> str:
        """Count a passage; return its fault or "". Kills the worker for `kill_before`."""
        with self._lock:
            self.passed.append(f"{self.state} {name}")
            how = self._how(name)
        if how == "kill_before":
            self._kill()
        return how

    def leave(self, how: str) -> None:
        """Kill the worker for `kill_after`."""
        if how == "kill_after":
            self._kill()

    def _how(self, name: str) -> str:
        found = ""
        for number, strike in enumerate(self._strikes):
            if strike.at is not None:
                met = len(self.passed) == strike.at
            elif strike.state not in (None, self.state):
                met = False
            elif not self._armed[number]:
                self._armed[number] = name.startswith(strike.after)
                met = False
            else:
                self._met[number] += name.startswith(strike.name)
                turn = self._met[number] - strike.skip
                met = name.startswith(strike.name) and 1 <= turn <= (strike.times or turn)
            found = found or (strike.how if met else "")
        return found

    def _kill(self) -> None:
        self._tell(self.passed[-1])
        os.kill(os.getpid(), signal.SIGKILL)

    # -- HTTP and S3 -------------------------------------------------------------------------------
    def _open_urllib3(self) -> None:
        real = HTTPConnectionPool.urlopen

        def urlopen(
            pool: HTTPConnectionPool, method: str, url: str, *args: Any, **more: Any
        ) -> Any:
            owner = self._owners.get(str(pool.port), "elsewhere")
            how = self.enter(_name(owner, method, url, more.get("headers") or {}))
            if how == "refused":
                return real(HTTPConnectionPool(HOST, CLOSED_PORT), method, url, *args, **more)
            if how == "cut":
                raise urllib3.exceptions.ProtocolError("struck", ConnectionResetError())
            if how == "s3_hang":
                raise urllib3.exceptions.ReadTimeoutError(pool, url, "struck")
            if how.startswith("s3_") and how != "s3_cut":
                return _of_s3(how.removeprefix("s3_"))
            if how == "hasty":
                more["timeout"] = urllib3.Timeout(connect=5, read=_HASTE_SECONDS)
            response = real(pool, method, url, *args, **more)
            if how == "lost":
                response.close()
                raise urllib3.exceptions.ProtocolError("struck", ConnectionResetError())
            self.leave(how)
            return _half(response) if how == "s3_cut" else response

        HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign,assignment]  # the port

    def _open_httpx(self) -> None:
        import httpx2

        real = httpx2.HTTPTransport.handle_request

        def handle_request(transport: httpx2.HTTPTransport, request: httpx2.Request) -> Any:
            owner = self._owners.get(str(request.url.port), "elsewhere")
            how = self.enter(_name(owner, request.method, request.url.path, {}))
            if how == "refused":
                raise httpx2.ConnectError("struck", request=request)
            if how == "cut":
                raise httpx2.ReadError("struck", request=request)
            if how == "hasty":
                request.extensions["timeout"]["read"] = _HASTE_SECONDS
            response = real(transport, request)
            if how == "lost":
                response.close()
                raise httpx2.ReadError("struck", request=request)
            self.leave(how)
            return response

        httpx2.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign,assignment]  # the port


def _name(owner: str, method: str, url: str, headers: Any) -> str:
    path = url.partition("?")[0]
    if owner != "aws":
        parts = path.split("/")
        plain = [part for part in parts if len(part) < 20]  # without ids
        return f"http {method} {owner} {'/'.join(plain)}"
    if "X-Amz-Target" in headers:
        return "http POST secrets"
    return f"s3 {method} {path.split('/')[-2]}"


def _of_s3(status: str) -> urllib3.HTTPResponse:
    body = f"<Error><Code>{_S3_SAYS[status]}</Code><Message>struck</Message></Error>".encode()
    headers = {"content-type": "application/xml", "content-length": str(len(body))}
    return urllib3.HTTPResponse(io.BytesIO(body), headers, int(status), preload_content=False)


def _half(response: Any) -> urllib3.HTTPResponse:
    """Return the response with its headers and half of its body."""
    body = response.read()
    return urllib3.HTTPResponse(
        io.BytesIO(body[: len(body) // 2]), response.headers, response.status, preload_content=False
    )


def owners(addresses: dict[str, str]) -> dict[str, str]:
    """Return the names of loopback URLs by port number."""
    found = {}
    for name, url in addresses.items():
        parts = urllib3.util.parse_url(url)
        assert parts.host == HOST
        found[str(parts.port)] = name
    return found
