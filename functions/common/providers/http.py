"""HTTP client for vendors without an SDK: `requests` with limits and without retries.

A call may be a paid one, so a failed call must tell how far it got: `NotSent` means that no byte of
the request was sent, `NoResponse` that the request may have arrived.

Each call opens its own connection. A pooled one may have been closed by the server in the meantime,
which cannot be distinguished from a request that was lost after it had been accepted.
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
_MAX_RESPONSE_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class NotSent(Exception):
    """No byte of the request was sent: DNS, TCP or TLS failed before it."""


class NoResponse(Exception):
    """The request may have arrived, but no complete response was received."""


class TooLarge(Exception):
    """The response is larger than allowed."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response: status, case-insensitive headers, and body (empty for a download)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body, or an empty one if the body is anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: the fields in order, followed by one file."""

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
) -> HttpResponse:
    """Make one call and return the response, whatever its status; redirects are not followed.

    `body` is sent as JSON. `seconds` is the deadline for the whole response. Raises NotSent or
    NoAnswer.
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
        response = _exchange(request, content.extend, seconds, _MAX_RESPONSE_BYTES)
    except TooLarge:
        raise NoResponse("the response is too large") from None
    return HttpResponse(response.status, response.headers, bytes(content))


def download(url: str, target: Path, *, seconds: float, most_bytes: int) -> HttpResponse:
    """Download the URL to a file and return the response without its body.

    The request carries no credentials and no cookies. The file is kept only after a complete
    response with status 200. Raises NotSent, NoAnswer or TooLarge.
    """
    response = None
    try:
        with target.open("wb") as file:
            response = _exchange(requests.Request("GET", url), file.write, seconds, most_bytes)
    finally:
        if response is None or response.status != 200:
            target.unlink(missing_ok=True)
    return response


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is a loopback address or `localhost`."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exchange(
    request: requests.Request, write: Callable[[bytes], object], seconds: float, most_bytes: int
) -> HttpResponse:
    deadline = time.monotonic() + seconds
    request.auth = _no_auth
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
                _read(response, write, deadline, most_bytes)
                return HttpResponse(response.status_code, response.headers)
    except requests.RequestException as error:
        raise _translated(error) from None
    except HTTPError:
        raise NoResponse("no complete response") from None


def _read(
    response: requests.Response,
    write: Callable[[bytes], object],
    deadline: float,
    most_bytes: int,
) -> None:
    received = 0
    # `read1` returns what has arrived, so a slow response cannot block beyond the deadline.
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        received += len(chunk)
        if received > most_bytes:
            raise TooLarge(f"more than {most_bytes} bytes")
        if time.monotonic() > deadline:
            raise NoResponse("the response took too long")
        write(chunk)


def _translated(error: requests.RequestException) -> NotSent | NoResponse:
    """Return NotSent if no byte of the request was sent, else NoAnswer."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    # requests raises a ValueError for a URL or header that cannot be sent.
    not_sent = isinstance(reason, NewConnectionError) or isinstance(
        error, requests.ConnectTimeout | requests.exceptions.ProxyError | ValueError
    )
    return NotSent("no connection") if not_sent else NoResponse("no complete response")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request unchanged; without an `auth`, requests would read ~/.netrc."""
    return request


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        """Connect; a failure up to the end of the TLS handshake means that nothing was sent."""
        try:
            super().connect()
        except OSError as error:  # includes ssl.SSLError
            raise NewConnectionError(self, "the TLS handshake failed") from error


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create pools whose connections distinguish a failed handshake from a lost request."""
        super().init_poolmanager(*args, **kwargs)
        pools = {**self.poolmanager.pool_classes_by_scheme, "https": _Pool}
        self.poolmanager.pool_classes_by_scheme = pools
