"""A wire to PostgreSQL that writes down every statement that goes over it.

It stands between a client and the server, so what it counts is what the server was asked, whatever
the client's library believes that it sent.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

_QUERY, _PARSE = b"Q", b"P"


@dataclass
class Tap:
    """The port to connect to, and the statements that were sent, in their order."""

    port: int
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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        state = Tap(listener.getsockname()[1])
        thread = Thread(target=_accept, args=(listener, server_port, state), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
            thread.join()


def _accept(listener: socket.socket, server_port: int, state: Tap) -> None:
    with suppress(OSError):  # shut down at the end of the block
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=_forward, args=(client, server, state), daemon=True).start()
            Thread(target=_pass_on, args=(server, client), daemon=True).start()


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


@contextmanager
def both(client: socket.socket, server: socket.socket) -> Iterator[None]:
    """When one side is gone, so is the other."""
    try:
        with suppress(OSError):
            yield
    finally:
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
