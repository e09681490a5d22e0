"""A TCP listener in front of a server, for stand-ins that record or change the traffic."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

Connected = Callable[[socket.socket, socket.socket], None]
"""A callback with a client's socket and one to the server, called in a new thread."""


@contextmanager
def listen(server_port: int, connected: Connected) -> Iterator[int]:
    """Listen on a free loopback port within the context; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_accept, args=(listener, server_port, connected), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
            thread.join()


def _accept(listener: socket.socket, server_port: int, connected: Connected) -> None:
    with suppress(OSError):  # shut down at the end of the context
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=connected, args=(client, server), daemon=True).start()


@contextmanager
def both(client: socket.socket, server: socket.socket) -> Iterator[None]:
    """Close both sockets when one of them ends."""
    try:
        with suppress(OSError):
            yield
    finally:
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
