"""A wire to PostgreSQL that writes down every statement that goes over it.

It stands between a client and the server, so what it counts is what the server was asked, whatever
the client's library believes that it sent.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread

from tests.stand_ins.wiretap import both, listen

_QUERY, _PARSE = b"Q", b"P"


@dataclass
class Tap:
    """The port to connect to, and the statements that were sent, in their order."""

    port: int = 0
    statements: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def note(self, statement: str) -> None:
        """Write down a statement."""
        with self._lock:
            self.statements.append(" ".join(statement.split()))

    def take(self) -> list[str]:
        """Return what was written down, and start anew."""
        with self._lock:
            taken, self.statements = self.statements, []
        return taken


@contextmanager
def tap(server_port: int) -> Iterator[Tap]:
    """Listen on a free port and pass everything on to the server, until the end of the block."""
    state = Tap()

    def connected(client: socket.socket, server: socket.socket) -> None:
        Thread(target=_pass_on, args=(server, client), daemon=True).start()
        _forward(client, server, state)

    with listen(server_port, connected) as state.port:
        yield state


def _forward(client: socket.socket, server: socket.socket, state: Tap) -> None:
    """Pass the client's messages on, one by one: a type, a length, a content."""
    with both(client, server), client.makefile("rb") as stream:
        length = stream.read(4)  # the first message has no type
        server.sendall(length + stream.read(int.from_bytes(length) - 4))
        while kind := stream.read(1):
            length = stream.read(4)
            content = stream.read(int.from_bytes(length) - 4)
            if kind in (_QUERY, _PARSE):
                parts = content.split(b"\0")
                state.note(parts[0 if kind == _QUERY else 1].decode(errors="replace"))
            server.sendall(kind + length + content)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with both(client, server):
        while data := server.recv(65536):
            client.sendall(data)
