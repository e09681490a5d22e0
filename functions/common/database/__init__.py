"""PostgreSQL access: one connection per warm Lambda environment, and transactions on it.

All SQL is in the modules of this package. psycopg2's errors are translated here and never leave the
package: their messages can quote rows, so only the five-character SQLSTATE is kept.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from psycopg2 import extensions, sql
from psycopg2.extras import RealDictCursor

from common.aws import secrets
from common.aws.log import logger
from common.domain.errors import (
    DatabaseUnavailable,
    InvalidInput,
    PermanentError,
    TransientError,
    VideoError,
)
from common.settings import DatabaseSettings

__all__ = ["CA_BUNDLE", "Cursor", "Database"]

# Amazon's certificate authorities for RDS (all regions) and for RDS Proxy.
CA_BUNDLE = Path(__file__).parent / "amazon-ca-bundle.pem"
_PING_AFTER_SECONDS = 5.0
# If the server uses more than this share of max_connections, a new connection is closed after each
# use. Otherwise idle warm environments would hold all of them, and the functions that end a run
# could not connect.
_CROWDED = """
    SELECT sum(numbackends) > 0.8 * current_setting('max_connections')::int AS crowded
    FROM pg_stat_database
"""

# Connection exception, too many connections, server shutdown or crash, not accepting connections,
# and a write on a read-only standby after a failover.
_UNAVAILABLE = ("08", "53300", "57P01", "57P02", "57P03", "25006")
_VALUE = "22"  # data exceptions: number or timestamp out of range, invalid character
_CONFLICT = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock timeout
_NO_PRIVILEGE = "42501"

# RDS Proxy could not borrow a server connection for the statement in time, so nothing was executed.
# The SQLSTATE is not documented (RDS user guide, "Troubleshooting for RDS Proxy").
_PROXY_IS_BUSY = "Timed-out waiting to acquire database connection"
# A refused connection has no SQLSTATE; these messages correspond to 53300.
_FULL = ("too many clients", "remaining connection slots", "too many connections")
_WAIT_SECONDS = 5.0
# Messages of PostgreSQL and of RDS Proxy (RDS user guide, "Troubleshooting for RDS Proxy").
_REFUSED_PASSWORD = ("password authentication failed", "The password that was provided for")

Result = TypeVar("Result")


class Cursor(RealDictCursor):
    """A cursor that returns rows as dictionaries.

    Raises InvalidInput for text that cannot be encoded: for NUL and lone surrogates psycopg2 raises
    a plain ValueError, not a psycopg2.Error.
    """

    def execute(self, query: str | bytes | sql.Composable, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
        """Execute a statement; raises InvalidInput for text that cannot be encoded."""
        try:
            super().execute(query, vars)
        except ValueError:
            logger.exception("statement not sent: text cannot be encoded")
            raise _not_storable() from None


class Database:
    """Transactions on one connection, which is opened on first use and reopened when lost."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: extensions.connection | None = None
        self._used_at = 0.0
        self._is_persistent = True

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor; commit on exit, roll back on any error.

        Raises DatabaseUnavailable if the connection fails. A commit that was in progress may or may
        not have taken effect, so the block must be idempotent.
        """
        connection = self._connected()
        try:
            with (
                self._translated_errors(connection),
                connection,
                connection.cursor(cursor_factory=Cursor) as cursor,
            ):
                yield cursor
        finally:
            self._close_unless_persistent()

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """Yield a cursor on a read-only snapshot: all statements see the state of the first one.

        Raises DatabaseUnavailable if the connection fails.
        """
        connection = self._connected()
        try:
            with (
                self._translated_errors(connection),
                connection.cursor(cursor_factory=Cursor) as cursor,
            ):
                # The isolation level is part of BEGIN, because a SET makes RDS Proxy pin the server
                # connection to this client.
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                try:
                    yield cursor
                finally:
                    if not connection.closed:
                        cursor.execute("ROLLBACK")  # read only: nothing to commit
        finally:
            self._close_unless_persistent()

    def run_autocommit(self, statement: Callable[[Cursor], Result]) -> Result:
        """Run one statement in autocommit mode: a single round trip, without BEGIN and COMMIT.

        If the connection turns out to be dead, it is reopened and the statement is repeated, so the
        statement must be idempotent. Raises DatabaseUnavailable if the second try fails too.
        """
        if self._connection is not None:
            try:
                return self._run(self._connection, statement)
            except DatabaseUnavailable:
                pass  # already closed
        result = self._run(self._connected(), statement)
        self._close_unless_persistent()
        return result

    def _close_unless_persistent(self) -> None:
        if not self._is_persistent:
            self.close()

    def _run(
        self, connection: extensions.connection, statement: Callable[[Cursor], Result]
    ) -> Result:
        with (
            self._translated_errors(connection),
            connection.cursor(cursor_factory=Cursor) as cursor,
        ):
            return statement(cursor)

    @contextmanager
    def _translated_errors(self, connection: extensions.connection) -> Iterator[None]:
        """Translate psycopg2's errors into VideoError, and close a broken connection."""
        try:
            yield
        except psycopg2.Error as error:
            translated = _translated(error)
            if connection.closed or isinstance(translated, DatabaseUnavailable):
                self.close()
            raise translated from None
        self._used_at = time.monotonic()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> extensions.connection:
        if self._connection is not None and self._is_alive(self._connection):
            return self._connection
        self.close()
        try:
            connection = _with_backoff(lambda: self._connect(fresh_secret=False))
        except _WrongPassword:  # the secret was rotated since it was read
            connection = _with_backoff(lambda: self._connect(fresh_secret=True))
        self._connection = connection
        with (
            self._translated_errors(connection),
            connection.cursor(cursor_factory=Cursor) as cursor,
        ):
            cursor.execute(_CROWDED)
            self._is_persistent = not cursor.fetchall()[0]["crowded"]
        return connection

    def _is_alive(self, connection: extensions.connection) -> bool:
        """Return whether an idle connection still works; after a failover its socket is dead."""
        if connection.closed:
            return False
        if time.monotonic() - self._used_at < _PING_AFTER_SECONDS:
            return True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            return False
        return True

    def _connect(self, *, fresh_secret: bool) -> extensions.connection:
        settings = self._settings
        secret = secrets.read(settings.database_secret_arn, fresh=fresh_secret)
        tls: dict[str, Any] = {"sslmode": settings.database_tls}
        if settings.database_tls == "verify-full":
            tls["sslrootcert"] = str(CA_BUNDLE)
        try:
            connection: extensions.connection = psycopg2.connect(
                host=settings.database_host,
                port=settings.database_port,
                dbname=settings.database_name,
                user=secret["username"],
                password=secret["password"],
                connect_timeout=5,
                keepalives_idle=30,
                application_name="video-generator",
                **tls,
            )
        except psycopg2.OperationalError as error:
            # libpq reports a refused password without a SQLSTATE. A second try is harmless.
            if not fresh_secret and any(text in str(error) for text in _REFUSED_PASSWORD):
                raise _WrongPassword from None
            if any(text in str(error) for text in _FULL):
                raise _TooManyConnections from None
            raise _unavailable() from None
        connection.autocommit = True  # `transaction` and `snapshot` issue their own BEGIN
        return connection


class _WrongPassword(Exception):
    pass


class _TooManyConnections(Exception):
    pass


def _with_backoff(connect: Callable[[], extensions.connection]) -> extensions.connection:
    """Connect, with exponential backoff and jitter while the server has no free connection.

    Raises DatabaseUnavailable after `_WAIT_SECONDS`.
    """
    try:
        return connect()
    except _TooManyConnections:
        # Imported here because tenacity imports asyncio, which would slow the authorizer's cold
        # start.
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_delay,
            wait_random_exponential,
        )
    try:
        return Retrying(
            retry=retry_if_exception_type(_TooManyConnections),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            stop=stop_after_delay(_WAIT_SECONDS),
            reraise=True,
        )(connect)
    except _TooManyConnections:
        raise _unavailable() from None


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database is temporarily unavailable. Stored data is kept. Try again.",
        retry_after=5,
    )


def _not_storable() -> InvalidInput:
    return InvalidInput(
        "A value cannot be stored: text with an invalid character, or a number or time that is out "
        "of range. Nothing was changed.",
        code="database.value",
    )


def _translated(error: psycopg2.Error) -> VideoError:
    """Return the VideoError for psycopg2's error, by SQLSTATE, or by message for RDS Proxy."""
    state = error.pgcode
    if _PROXY_IS_BUSY in str(error):
        return _unavailable()
    if state is not None and state.startswith(_VALUE):
        logger.error("value rejected", extra={"sqlstate": state})
        return _not_storable()
    if state is None and isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return _unavailable()
    if state is not None and state.startswith(_UNAVAILABLE):
        return _unavailable()
    if state in _CONFLICT:
        return TransientError(
            "Two transactions conflicted in the database. Nothing was changed. Try again.",
            code="database.conflict",
        )
    if state == _NO_PRIVILEGE:
        return PermanentError(
            f"The function's database role lacks a privilege: {error.diag.message_primary} "
            f"(SQLSTATE {state}). Nothing was changed. The privileges are defined in "
            "functions/migrate/privileges.py.",
            code="database.refused",
        )
    return PermanentError(
        f"The database rejected a statement (SQLSTATE {state or 'none'}). Nothing was changed.",
        code="database.refused",
    )
