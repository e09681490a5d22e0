"""A stand-in for RDS Proxy that forwards PostgreSQL's messages and returns the proxy's errors.

The error texts are those of the RDS user guide, "Troubleshooting for RDS Proxy". TLS is not
supported.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from threading import Thread

from tests.stand_ins.wiretap import both, listen

WRONG_PASSWORD = "The password that was provided for the role {role} is wrong."
BUSY = "Timed-out waiting to acquire database connection"
_QUERY, _ERROR = b"Q", b"E"
_INVALID_PASSWORD = b"C28P01"
_UNDOCUMENTED = "XX000"  # an SQLSTATE without meaning


@dataclass
class RdsProxy:
    """The port, the number of statements that get no connection, and the returned error texts."""

    port: int = 0
    busy: int = 0
    said: list[str] = field(default_factory=list)

    def error(self, sqlstate: str, text: str) -> bytes:
        """Return an ErrorResponse with the text, and record it."""
        self.said.append(text)
        fields = (f"SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0").encode()
        return _ERROR + (len(fields) + 4).to_bytes(4) + fields


@contextmanager
def serve(server_port: int) -> Iterator[RdsProxy]:
    """Serve on a free port in front of the server within the context."""
    proxy = RdsProxy()

    def connected(client: socket.socket, server: socket.socket) -> None:
        stream = client.makefile("rb")
        startup = _content(stream)
        # Parameters as name, value, name, value, ... after the protocol's version.
        role = startup[8:].split(b"user\0")[1].split(b"\0")[0].decode()
        server.sendall(startup)
        Thread(target=_to_client, args=(server, client, role, proxy), daemon=True).start()
        _to_server(client, stream, server, proxy)

    with listen(server_port, connected) as proxy.port:
        yield proxy


def _content(stream: BufferedReader) -> bytes:
    """Read a length and its content; return both."""
    length = stream.read(4)
    return length + stream.read(int.from_bytes(length) - 4)


def _to_server(
    client: socket.socket, stream: BufferedReader, server: socket.socket, proxy: RdsProxy
) -> None:
    with both(client, server), stream:
        while kind := stream.read(1):
            content = _content(stream)
            if kind == _QUERY and proxy.busy:
                proxy.busy -= 1
                client.sendall(proxy.error(_UNDOCUMENTED, BUSY) + b"Z\0\0\0\x05I")
            else:
                server.sendall(kind + content)


def _to_client(server: socket.socket, client: socket.socket, role: str, proxy: RdsProxy) -> None:
    with both(client, server), server.makefile("rb") as stream:
        while kind := stream.read(1):
            content = _content(stream)
            if kind == _ERROR and _INVALID_PASSWORD in content:
                client.sendall(proxy.error("28000", WRONG_PASSWORD.format(role=role)))
            else:
                client.sendall(kind + content)
