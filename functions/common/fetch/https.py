"""HTTPS GET to a client-supplied URL, with address check, DNS pinning and one overall deadline."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from urllib.parse import urljoin

import certifi
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from common.domain.errors import InvalidInput, VideoError
from common.fetch.addresses import is_public
from common.media import mime

MOST_BYTES = 16 * 1024 * 1024
MOST_SECONDS = 10.0
MOST_REDIRECTS = 3
_MOST_URL_CHARACTERS = 2048
_MOST_ADDRESSES = 4  # tried per host
_SOCKET_SECONDS = 3.0
_CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# The host's last label must begin with a letter, which excludes all notations of IP addresses. Also
# excluded are user info, other ports, and all characters that URL parsers interpret differently.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9]))(?::443)?"
    r"(?P<target>[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?(?:#[!-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A downloaded file. `media_type` is detected from its first bytes, not from the response."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A parsed URL: the host name, and the path with its query."""

    host: str
    target: str

    @classmethod
    def of(cls, url: str) -> "Endpoint | None":
        """Parse a URL; return None unless it is a plain https URL with a host name."""
        match = _URL.fullmatch(url) if len(url) <= _MOST_URL_CHARACTERS else None
        if match is None or len(match["host"]) > 253:
            return None
        target = match["target"] or "/"
        return cls(match["host"].lower(), target if target.startswith("/") else f"/{target}")

    @property
    def url(self) -> str:
        """The normalized URL."""
        return f"https://{self.host}{self.target}"


def _resolve(host: str) -> Sequence[str]:
    """Return the IP addresses of a host. The trailing dot disables search domains."""
    results = socket.getaddrinfo(f"{host}.", 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(result[4][0]) for result in results))


def _connect(address: str, host: str) -> HTTPSConnection:
    """Return an unopened connection to the address that verifies the certificate of the host."""
    return HTTPSConnection(
        address, 443, timeout=_SOCKET_SECONDS, server_hostname=host, ssl_context=_trust()
    )


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True)
class SafeHttpsClient:
    """An HTTPS client that is safe against SSRF. Only tests replace `resolve` and `connect`."""

    resolve: Callable[[str], Sequence[str]] = _resolve
    connect: Callable[[str, str], HTTPSConnection] = _connect

    def fetch(
        self,
        url: str,
        *,
        named: str,
        accepts: Collection[str],
        most_bytes: int = MOST_BYTES,
        seconds: float = MOST_SECONDS,
    ) -> FetchedFile:
        """Download the URL if its first bytes have a media type in `accepts`.

        The file has at most `most_bytes`, and everything from DNS resolution to the last byte takes
        at most `seconds`. Raises InvalidInput with the request's field `named`.
        """
        fetch = _Fetch(self, named, accepts, most_bytes, time.monotonic() + seconds)
        # In a thread, because there is no deadline for the resolver, or for a server that sends
        # its headers one byte at a time.
        worker = threading.Thread(target=fetch.run, args=(url,), daemon=True)
        worker.start()
        worker.join(seconds)
        if worker.is_alive():
            fetch.abort()
            raise fetch.timeout_error()
        if fetch.error is not None:
            raise fetch.error
        assert fetch.file is not None  # `run` sets one of the two
        return fetch.file


class _Fetch:
    """One download with its redirects."""

    def __init__(
        self,
        client: SafeHttpsClient,
        named: str,
        accepts: Collection[str],
        most_bytes: int,
        deadline: float,
    ) -> None:
        self._client, self._named, self._accepts = client, named, accepts
        self._most_bytes, self._deadline = most_bytes, deadline
        self._connection: HTTPSConnection | None = None
        self.file: FetchedFile | None = None
        self.error: VideoError | None = None

    def run(self, url: str) -> None:
        """Set `file` or `error`."""
        try:
            self.file = self._follow(url)
        except VideoError as error:
            self.error = error
        except (OSError, HTTPError, HTTPException, ValueError):
            # http.client raises ValueError for some malformed responses.
            self.error = self._unreachable("did not respond as an HTTPS server of that name")
        finally:
            self._close()

    def abort(self) -> None:
        """Shut down the connection, so that the thread does not wait for it any longer."""
        open_socket = self._connection.sock if self._connection else None
        if open_socket is not None:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def timeout_error(self) -> InvalidInput:
        return self._refused("url.timeout", "The download of the URL timed out.", retryable=True)

    def _follow(self, url: str) -> FetchedFile:
        for _ in range(MOST_REDIRECTS + 1):
            endpoint = Endpoint.of(url)
            if endpoint is None:
                raise self._refused(
                    "url.invalid",
                    "Only https URLs with a host name are allowed: port 443, no user info, no IP "
                    "address, and at most 2048 ASCII characters. Write an international host name "
                    "in punycode (xn--...), and percent-encode other characters.",
                )
            response = self._open(endpoint)
            if response.status not in _REDIRECTS:
                return self._read(response)
            url = urljoin(endpoint.url, response.headers.get("Location", ""))
            self._close()
        raise self._refused("url.redirects", f"The URL redirects more than {MOST_REDIRECTS} times.")

    def _open(self, endpoint: Endpoint) -> BaseHTTPResponse:
        for address in self._addresses(endpoint.host):
            self._check_deadline()
            self._connection = self._client.connect(address, endpoint.host)
            with suppress(OSError, HTTPError):
                self._connection.connect()
                break
            self._close()
        else:
            raise self._unreachable("cannot be reached over HTTPS under that name")
        self._connection.request(
            "GET",
            endpoint.target,
            headers={"Host": endpoint.host, "Accept": "*/*", "Accept-Encoding": "identity"},
            preload_content=False,
            decode_content=False,
        )
        return self._connection.getresponse()

    def _addresses(self, host: str) -> Sequence[str]:
        try:
            addresses = self._client.resolve(host)
        except (OSError, UnicodeError):
            addresses = []
        # The same error for both cases does not reveal which names exist in a private DNS zone.
        if not addresses or not all(is_public(address) for address in addresses):
            raise self._refused("url.not_public", "The URL's host has no public address.")
        return addresses[:_MOST_ADDRESSES]

    def _read(self, response: BaseHTTPResponse) -> FetchedFile:
        if response.status != 200:
            raise self._unreachable(f"responded with status {response.status}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("url.encoding", "The URL's server sends compressed responses only.")
        data, media_type = bytearray(), None
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            self._check_deadline()
            if len(data) > self._most_bytes:
                most = self._most_bytes // 1024 // 1024
                raise self._refused(
                    "url.too_large", f"The file at the URL is larger than {most} MiB."
                )
            if media_type is None and len(data) >= mime.HEAD_BYTES:
                media_type = self._media_type(data)  # stop the download early if it is wrong
        return FetchedFile(bytes(data), media_type or self._media_type(data))

    def _media_type(self, data: bytearray) -> str:
        media_type = mime.media_type(bytes(data[: mime.HEAD_BYTES]))
        if media_type is None or media_type not in self._accepts:
            raise self._refused(
                "url.media_type",
                "The file at the URL has none of the allowed media types.",
                sorted(self._accepts),
            )
        return media_type

    def _check_deadline(self) -> None:
        if time.monotonic() > self._deadline:
            raise self.timeout_error()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unreachable(self, reason: str) -> InvalidInput:
        return self._refused("url.unreachable", f"The URL's host {reason}.", retryable=True)

    def _refused(
        self, code: str, detail: str, allowed: object = None, *, retryable: bool = False
    ) -> InvalidInput:
        return InvalidInput(
            detail, field=self._named, allowed=allowed, code=code, retryable=retryable
        )


fetch = SafeHttpsClient().fetch
