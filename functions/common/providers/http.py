"""The one HTTP client for vendors without an SDK: `requests`, under limits, every call made once.

What matters about a call that brought no answer is how far it got, because it may be a paid one:
`NotSent` says that no byte of the request left, `NoAnswer` that it may have arrived.

Each call has its own connection. A pooled one may have been closed by the other side in between,
and that looks just like a request that got lost after it had been accepted.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

_CONNECT_SECONDS = 5
_MOST_ANSWER_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class NotSent(Exception):
    """No byte of the request left: the server was not found, or no connection came about."""


class NoAnswer(Exception):
    """The request may have arrived; the answer did not, or not whole."""


class TooLarge(Exception):
    """The answer is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in any case) and body. The body of a download is in its file."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body, or an empty one when there is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: the fields in order, and the file behind them."""

    fields: Mapping[str, str]
    name: str
    data: bytes = field(repr=False)
    media_type: str


def call(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    form: Form | None = None,
) -> Answer:
    """Make one call and return the answer, whatever its status; redirects are not followed.

    `body` is sent as JSON. `seconds` is how long the answer may take. Raises NotSent or NoAnswer.
    """
    content = bytearray()
    request = requests.Request(
        method,
        url,
        headers=dict(headers or {}),
        json=body,
        data=dict(form.fields) if form else None,
        files={"file": (form.name, form.data, form.media_type)} if form else None,
    )
    try:
        answer = _exchange(request, content.extend, seconds, _MOST_ANSWER_BYTES)
    except TooLarge:
        raise NoAnswer("the answer is too large to be one") from None
    return Answer(answer.status, answer.headers, bytes(content))


def download(url: str, target: Path, *, seconds: float, most_bytes: int) -> Answer:
    """Write what is under the URL to the file and return the answer without its body.

    Nothing but the URL is sent: no key, no cookie. The file stays only after a 200 that arrived
    whole. Raises NotSent, NoAnswer or TooLarge.
    """
    answer = None
    try:
        with target.open("wb") as file:
            answer = _exchange(requests.Request("GET", url), file.write, seconds, most_bytes)
    finally:
        if answer is None or answer.status != 200:
            target.unlink()
    return answer


def is_loopback(url: str) -> bool:
    """Say whether the URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exchange(
    request: requests.Request, keep: Callable[[bytes], object], seconds: float, most_bytes: int
) -> Answer:
    deadline = time.monotonic() + seconds
    request.auth = _as_it_is
    request.headers = {**request.headers, "Accept-Encoding": "identity"}
    try:
        with requests.Session() as session:
            session.mount("https://", _Adapter())
            prepared = session.prepare_request(request)
            settings = session.merge_environment_settings(prepared.url, {}, True, None, None)
            with session.send(
                prepared,
                timeout=(_CONNECT_SECONDS, seconds),
                allow_redirects=False,
                **settings,
            ) as response:
                _read(response, keep, deadline, most_bytes)
                return Answer(response.status_code, response.headers)
    except requests.RequestException as error:
        raise _how_far(error) from None
    except HTTPError:
        raise NoAnswer("no whole answer") from None


def _read(
    response: requests.Response,
    keep: Callable[[bytes], object],
    deadline: float,
    most_bytes: int,
) -> None:
    received = 0
    # Piece by piece as they come, so that a trickle does not hold us beyond the deadline.
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        received += len(chunk)
        if received > most_bytes:
            raise TooLarge(f"more than {most_bytes} bytes")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer took too long")
        keep(chunk)


def _how_far(error: requests.RequestException) -> NotSent | NoAnswer:
    """Tell a request that never left from one that got no whole answer."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    # A ValueError is what requests raises for an address or header that cannot be sent.
    never_left = isinstance(reason, NewConnectionError) or isinstance(
        error, requests.ConnectTimeout | requests.exceptions.ProxyError | ValueError
    )
    return NotSent("no connection") if never_left else NoAnswer("no whole answer")


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request alone: without an `auth`, requests looks for one in ~/.netrc."""
    return request


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        """Connect; whatever goes wrong up to the end of the TLS handshake, nothing was sent."""
        try:
            super().connect()
        except OSError as error:  # ssl.SSLError is one
            raise NewConnectionError(self, "the TLS handshake failed") from error


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make a pool whose connections tell a failed handshake from a lost request."""
        super().init_poolmanager(*args, **kwargs)
        pools = {**self.poolmanager.pool_classes_by_scheme, "https": _Pool}
        self.poolmanager.pool_classes_by_scheme = pools
