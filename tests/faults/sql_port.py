"""The SQL port: psycopg2 with a passage at each connect, statement and end of a transaction."""

import os
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import extensions

from common import database as database_module

if TYPE_CHECKING:
    from tests.faults.ports import Ports

CROWDED = "crowded"  # a role without free connections
CLOSED_PORT = 9
_TABLE = re.compile(
    r"\s*(WITH|INSERT|UPDATE|SELECT)\b(?:.*?\b(?:INTO|UPDATE|FROM))?\s+(\w+)", re.DOTALL
)


def open_port(ports: "Ports") -> None:
    """Install the port."""
    real, cursor = psycopg2.connect, _cursor(ports)
    connection = _connection(ports, cursor)

    def connect(**given: Any) -> Any:
        how = ports.enter("sql connect")
        if how == "sql_53300":
            given |= {"user": CROWDED}
        if how in ("refused", "cut"):
            given |= {"port": CLOSED_PORT}
        connection_ = real(connection_factory=connection, **given)
        if how == "lost":
            connection_.close()
            raise psycopg2.OperationalError("struck")
        ports.leave(how)
        return connection_

    database_module.Cursor = cursor  # type: ignore[misc]  # the cursor class of transactions
    psycopg2.connect = connect  # type: ignore[assignment]  # the port


def _cursor(ports: "Ports") -> type[database_module.Cursor]:
    class Cursor(database_module.Cursor):
        """A cursor that counts its statements as passages."""

        def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - psycopg2's name
            run = super().execute

            def struck(how: str) -> None:
                if how == "sql_25006":
                    run("SET TRANSACTION READ ONLY")
                elif how.startswith("sql_"):
                    run(f"DO $$ BEGIN RAISE SQLSTATE '{how[4:]}'; END $$")

            text = query if isinstance(query, str) else query.as_string(self)
            return _pass(
                ports, self.connection, _name(text), lambda: run(query, vars), struck=struck
            )

    return Cursor


def _connection(
    ports: "Ports", cursor: type[database_module.Cursor]
) -> type[extensions.connection]:
    class Connection(extensions.connection):
        """A connection that counts its statements and ends of transactions as passages."""

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.cursor_factory = cursor

        def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
            end, name = super().__exit__, "sql rollback" if kind else "sql commit"
            _pass(ports, self, name, lambda: end(kind, value, trace))

    return Connection


def _pass(
    ports: "Ports",
    connection: extensions.connection,
    name: str,
    run: Callable[[], Any],
    *,
    struck: Callable[[str], None] = lambda _: None,
) -> Any:
    how = ports.enter(name)
    if how == "cut":
        _break(connection)
    struck(how)
    result = run()
    if how == "lost":
        _break(connection)
        raise psycopg2.OperationalError("server closed the connection unexpectedly")
    ports.leave(how)
    return result


def _name(text: str) -> str:
    match = _TABLE.match(text)
    return f"sql {match[1]} {match[2]}" if match else f"sql {text.split()[0]}"


def _break(connection: extensions.connection) -> None:
    """Close the socket of the connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as dead:
        dead.shutdown(socket.SHUT_RDWR)
