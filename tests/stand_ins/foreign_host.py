"""An HTTPS server on this machine that stands in for a public host of a client's URL.

Tests inject a resolver and a connector into `SafeHttpsClient`, because no setting of a deployment
allows a loopback address. The host records lookups, connections and requests.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from urllib3.connection import HTTPSConnection

from common.fetch.https import SafeHttpsClient

PUBLIC = "93.184.215.14"


@dataclass(frozen=True)
class Page:
    """The response of a path, with `pause` seconds between two pieces of its body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: int = 1
    pause: float = 0.0


@dataclass
class ForeignHost:
    """The host: its DNS names, its pages, and its recorded requests."""

    port: int
    trust: ssl.SSLContext
    names: dict[str, Sequence[str]] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # Host header and path
    connections: list[str] = field(default_factory=list)  # connected addresses
    lookups: list[str] = field(default_factory=list)
    resolver: Callable[[str], Sequence[str]] | None = None

    def forget(self) -> None:
        """Remove all names, pages and recorded requests."""
        for recorded in (self.names, self.pages, self.requests, self.connections, self.lookups):
            recorded.clear()
        self.resolver = None

    @property
    def way(self) -> SafeHttpsClient:
        """A client whose every connection leads to this host."""
        return SafeHttpsClient(self._resolve, self._connect)

    def _resolve(self, host: str) -> Sequence[str]:
        self.lookups.append(host)
        if self.resolver:
            return self.resolver(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.names[host]

    def _connect(self, address: str, host: str) -> HTTPSConnection:
        self.connections.append(address)
        return HTTPSConnection(
            "127.0.0.1", self.port, timeout=2, server_hostname=host, ssl_context=self.trust
        )


@contextmanager
def serve(certified: Sequence[str]) -> Iterator[ForeignHost]:
    """Serve the host with a certificate for these names."""
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*certified).configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.requests.append((self.headers["Host"], self.path))
            page = host.pages.get(self.path, Page(status=404))
            self.send_response(page.status)
            sent = {"Content-Length": str(len(page.body)), **page.headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self._write(page)
            self.close_connection = True

        def _write(self, page: Page) -> None:
            size = max(1, len(page.body) // page.pieces)
            for start in range(0, len(page.body), size):
                self.wfile.write(page.body[start : start + size])
                self.wfile.flush()
                time.sleep(page.pause)

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # some tests close the connection early

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    host = ForeignHost(server.server_port, trust)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
