"""GET over HTTPS to a host that a client named: resolved once, checked, pinned, under one clock."""

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
_MOST_ADDRESSES = 4  # of one host that are tried
_SOCKET_SECONDS = 3.0
_CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# A host has a name, and its last label begins with a letter: no spelling of an IP address does.
# No user, no other port, and no character that two parsers of URLs could read in two ways.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9]))(?::443)?"
    r"(?P<target>[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?(?:#[!-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """What the URL led to. `media_type` is what the first bytes say, not what the server says."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL, taken apart: the host's name, and the path with its query."""

    host: str
    target: str

    @classmethod
    def of(cls, url: str) -> "Endpoint | None":
        """Return the place, or None for what is no plain https URL of a named host."""
        match = _URL.fullmatch(url) if len(url) <= _MOST_URL_CHARACTERS else None
        if match is None or len(match["host"]) > 253:
            return None
        target = match["target"] or "/"
        return cls(match["host"].lower(), target if target.startswith("/") else f"/{target}")

    @property
    def url(self) -> str:
        """The URL in its plain form."""
        return f"https://{self.host}{self.target}"


def _resolve(host: str) -> Sequence[str]:
    """Return the addresses of a host; the dot at the end keeps search domains out of it."""
    found = socket.getaddrinfo(f"{host}.", 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _connect(address: str, host: str) -> HTTPSConnection:
    """Return a connection, not yet open, to the address; its certificate must be of the host."""
    return HTTPSConnection(
        address, 443, timeout=_SOCKET_SECONDS, server_hostname=host, ssl_context=_trust()
    )


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True)
class SafeHttpsClient:
    """Reads foreign URLs. Nothing sets the two functions but a test, which has no other host."""

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
        """Return what the URL leads to, if its first bytes are of a media type in `accepts`.

        At most `most_bytes`, and at most `seconds` for everything from the resolver to the last
        byte. Raises InvalidInput about the request's field `named`.
        """
        visit = _Visit(self, named, accepts, most_bytes, time.monotonic() + seconds)
        # In a thread, because neither the resolver nor a server that sends its headers one byte
        # at a time can be given a deadline.
        worker = threading.Thread(target=visit.run, args=(url,), daemon=True)
        worker.start()
        worker.join(seconds)
        if worker.is_alive():
            visit.cut()
            raise visit.late()
        if visit.error is not None:
            raise visit.error
        assert visit.fetched is not None  # a visit ends with one of the two
        return visit.fetched


class _Visit:
    """One fetch with its redirects."""

    def __init__(
        self,
        way: SafeHttpsClient,
        named: str,
        accepts: Collection[str],
        most_bytes: int,
        deadline: float,
    ) -> None:
        self._way, self._named, self._accepts = way, named, accepts
        self._most_bytes, self._deadline = most_bytes, deadline
        self._connection: HTTPSConnection | None = None
        self.fetched: FetchedFile | None = None
        self.error: VideoError | None = None

    def run(self, url: str) -> None:
        """Leave what was fetched, or the error."""
        try:
            self.fetched = self._follow(url)
        except VideoError as error:
            self.error = error
        except (OSError, HTTPError, HTTPException, ValueError):
            # ValueError is what http.client raises for an answer that is none.
            self.error = self._unreachable("did not answer as an HTTPS server of that name")
        finally:
            self._close()

    def cut(self) -> None:
        """Break the connection, so that nothing waits on it any longer."""
        open_socket = self._connection.sock if self._connection else None
        if open_socket is not None:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def late(self) -> InvalidInput:
        return self._refused("url.timeout", "The URL took too long.", retryable=True)

    def _follow(self, url: str) -> FetchedFile:
        for _ in range(MOST_REDIRECTS + 1):
            place = Endpoint.of(url)
            if place is None:
                raise self._refused(
                    "url.invalid",
                    "Only https URLs with the name of a host are fetched: port 443, no user, no IP "
                    "address, and at most 2048 ASCII characters. Write the name of a host in "
                    "punycode (xn--...), and other characters percent-encoded.",
                )
            response = self._open(place)
            if response.status not in _REDIRECTS:
                return self._read(response)
            url = urljoin(place.url, response.headers.get("Location", ""))
            self._close()
        raise self._refused("url.redirects", f"The URL redirects more than {MOST_REDIRECTS} times.")

    def _open(self, place: Endpoint) -> BaseHTTPResponse:
        for address in self._addresses(place.host):
            self._check_clock()
            self._connection = self._way.connect(address, place.host)
            with suppress(OSError, HTTPError):
                self._connection.connect()
                break
            self._close()
        else:
            raise self._unreachable("cannot be reached over HTTPS under that name")
        self._connection.request(
            "GET",
            place.target,
            headers={"Host": place.host, "Accept": "*/*", "Accept-Encoding": "identity"},
            preload_content=False,
            decode_content=False,
        )
        return self._connection.getresponse()

    def _addresses(self, host: str) -> Sequence[str]:
        try:
            found = self._way.resolve(host)
        except (OSError, UnicodeError):
            found = []
        # One answer for both, which tells nobody what names there are in a private zone.
        if not found or not all(is_public(address) for address in found):
            raise self._refused("url.not_public", "The URL's host has no public address.")
        return found[:_MOST_ADDRESSES]

    def _read(self, response: BaseHTTPResponse) -> FetchedFile:
        if response.status != 200:
            raise self._unreachable(f"answered with status {response.status}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._refused("url.encoding", "The URL's server sends compressed answers only.")
        data, kind = bytearray(), None
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            self._check_clock()
            if len(data) > self._most_bytes:
                most = self._most_bytes // 1024 // 1024
                raise self._refused("url.too_large", f"The URL holds more than {most} MiB.")
            if kind is None and len(data) >= mime.HEAD_BYTES:
                kind = self._kind(data)  # at once, so that nothing else is downloaded
        return FetchedFile(bytes(data), kind or self._kind(data))

    def _kind(self, data: bytearray) -> str:
        kind = mime.media_type(bytes(data[: mime.HEAD_BYTES]))
        if kind is None or kind not in self._accepts:
            raise self._refused(
                "url.media_type", "What the URL holds is not one of these.", sorted(self._accepts)
            )
        return kind

    def _check_clock(self) -> None:
        if time.monotonic() > self._deadline:
            raise self.late()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unreachable(self, what: str) -> InvalidInput:
        return self._refused("url.unreachable", f"The URL's host {what}.", retryable=True)

    def _refused(
        self, code: str, detail: str, allowed: object = None, *, retryable: bool = False
    ) -> InvalidInput:
        return InvalidInput(
            detail, field=self._named, allowed=allowed, code=code, retryable=retryable
        )


fetch = SafeHttpsClient().fetch
