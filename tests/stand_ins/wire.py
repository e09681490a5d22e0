"""HTTP requests and responses, and a loopback server that can misbehave.

A `Response` states how it is delivered:

whole   normally
cut     the headers announce the whole body, half of it is sent, then the connection ends
hang    nothing is sent until the stand-in releases the connection or ends
reset   nothing is sent, the connection is reset (RST)
slow    the body is sent over `seconds`
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HOST = "127.0.0.1"
_PIECES = 20


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `path` is decoded and has no query; names of `headers` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class WireResponse:
    """A response and its delivery (see the module)."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: str = "whole"
    seconds: float = 0

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def plus(self, headers: Mapping[str, str]) -> "WireResponse":
        """Return the response with more headers; existing ones win."""
        return replace(self, headers={**headers, **self.headers})


def as_json(status: int, value: object, content_type: str = "application/json") -> WireResponse:
    """Return a response with a JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return WireResponse(status, body, {"content-type": content_type})


def as_html(status: int, text: str) -> WireResponse:
    """Return a response with an HTML page, as from a proxy."""
    page = f"<html><head><title>{status} {text}</title></head><body>{text}</body></html>"
    return WireResponse(status, page.encode(), {"content-type": "text/html"})


class Server:
    """A loopback server that responds with `answer(request)`, with a thread per connection."""

    def __init__(self, answer: Callable[[Request], WireResponse], port: int = 0) -> None:
        self._answer = answer
        self._open_connections: set[socket.socket] = set()
        self._lock = Lock()
        self._let_go = Event()
        self._server: _Listener | None = None
        self.port = port
        self.open()

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"http://{HOST}:{self.port}"

    def open(self) -> None:
        """Listen, on the previous port if there was one."""
        if self._server is None:
            self._server = _Listener((HOST, self.port), self)
            self.port = self._server.server_port
            Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening and close the connections; further connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            with self._lock:
                for connection in self._open_connections:
                    _shut(connection)

    def release_hanging_calls(self) -> None:
        """Close the connections of hanging calls without a response."""
        self._let_go.set()
        self._let_go = Event()

    def hang(self, seconds: float) -> None:
        """Block until released, for at most `seconds`."""
        self._let_go.wait(seconds)

    def entered(self, connection: socket.socket) -> None:
        """Register a connection."""
        with self._lock:
            self._open_connections.add(connection)

    def left(self, connection: socket.socket) -> None:
        """Unregister a connection."""
        with self._lock:
            self._open_connections.discard(connection)

    def answer(self, request: Request) -> WireResponse:
        """Return the application's response."""
        return self._answer(request)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Connection)

    def shutdown_request(self, request: Any) -> None:
        # Without shutdown(), which would send FIN: a reset must be only RST.
        self.owner.left(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report errors, except for disconnected clients."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    sys_version = ""
    disable_nagle_algorithm = True
    server: _Listener
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.server.owner.entered(self.connection)

    def _serve(self) -> None:
        length = self.headers.get("Content-Length")
        if length is None and self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(as_html(411, "Length Required"))
            return
        body = self.rfile.read(int(length or 0))
        if len(body) < int(length or 0):
            # The client died while sending: an incomplete request is not charged.
            self.close_connection = True
            return
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        self._send(self.server.owner.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (names of http.server)

    def _send(self, answer: WireResponse) -> None:
        if answer.delivery in ("hang", "reset"):
            self.close_connection = True
            if answer.delivery == "hang":
                self.server.owner.hang(answer.seconds or 600)
            else:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        if answer.delivery == "cut":
            self.close_connection = True
            self.wfile.write(body[: len(body) // 2])
        elif answer.delivery == "slow":
            step = max(1, -(-len(body) // _PIECES))
            for at in range(0, len(body), step):
                time.sleep(answer.seconds / _PIECES)
                self.wfile.write(body[at : at + step])
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Disable logging."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already closed
