"""A PostgreSQL proxy that records every statement.

It sits between client and server, so it counts what the server receives, independent of the
client's library.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread

from tests.stand_ins.wiretap import both, listen

_QUERY, _PARSE = b"Q", b"P"


@dataclass
class StatementRecorder:
    """The port to connect to, and the statements in order."""

    port: int = 0
    statements: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def note(self, statement: str) -> None:
        """Record a statement."""
        with self._lock:
            self.statements.append(" ".join(statement.split()))

    def take(self) -> list[str]:
        """Return the recorded statements and clear them."""
        with self._lock:
            taken, self.statements = self.statements, []
        return taken


@contextmanager
def record_statements(server_port: int) -> Iterator[StatementRecorder]:
    """Listen on a free port and forward everything to the server within the context."""
    state = StatementRecorder()

    def connected(client: socket.socket, server: socket.socket) -> None:
        Thread(target=_forward_responses, args=(server, client), daemon=True).start()
        _forward(client, server, state)

    with listen(server_port, connected) as state.port:
        yield state


def _forward(client: socket.socket, server: socket.socket, state: StatementRecorder) -> None:
    """Forward the client's messages one by one: a type, a length, a content."""
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


def _forward_responses(server: socket.socket, client: socket.socket) -> None:
    with both(client, server):
        while data := server.recv(65536):
            client.sendall(data)
