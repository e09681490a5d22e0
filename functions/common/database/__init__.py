"""PostgreSQL: one connection for each warm environment, and transactions on it.

SQL stands in the modules of this package and nowhere else. psycopg2's errors end here: their
texts can quote rows, so only the five-character SQLSTATE goes on.
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
# Above this share of the server's connections a new one is given back after each use. Warm
# environments would hold all of them otherwise, and those that end a run get none.
_CROWDED = """
    SELECT sum(numbackends) > 0.8 * current_setting('max_connections')::int AS crowded
    FROM pg_stat_database
"""

# Connection lost, shut down, too many connections, or a standby after a failover.
_UNAVAILABLE = ("08", "53300", "57P01", "57P02", "57P03", "25006")
_VALUE = "22"  # data exceptions: a number or time out of range, a character that is none
_CONFLICT = ("40001", "40P01", "55P03")
_NO_PRIVILEGE = "42501"

# RDS Proxy, at a statement for which it got no connection to the server in time. Nothing was run.
# Its SQLSTATE is not documented (RDS user guide, "Troubleshooting for RDS Proxy").
_PROXY_IS_BUSY = "Timed-out waiting to acquire database connection"
# A refused connect has no SQLSTATE; these are 53300 in words.
_FULL = ("too many clients", "remaining connection slots", "too many connections")
_WAIT_SECONDS = 5.0
# The server's words, and those of RDS Proxy (RDS user guide, "Troubleshooting for RDS Proxy").
_REFUSED_PASSWORD = ("password authentication failed", "The password that was provided for")

Result = TypeVar("Result")


class Cursor(RealDictCursor):
    """A cursor whose rows are dictionaries.

    Raises InvalidInput for a text that cannot be sent: psycopg2 raises ValueError for NUL and for
    halves of surrogate pairs, which is no error of its own.
    """

    def execute(self, query: str | bytes | sql.Composable, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
        """Execute a statement."""
        try:
            super().execute(query, vars)
        except ValueError:
            logger.exception("statement not sent")
            raise _not_storable() from None


class Database:
    """Transactions on one connection that is made when first needed and made anew when lost."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: extensions.connection | None = None
        self._used_at = 0.0
        self._kept = True

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor; commit at the end, roll back on any error.

        Raises DatabaseUnavailable when the connection fails: whether a commit that was under way
        took effect is then unknown, so everything inside must be safe to repeat.
        """
        connection = self._connected()
        try:
            with (
                self._own_errors(connection),
                connection,
                connection.cursor(cursor_factory=Cursor) as cursor,
            ):
                yield cursor
        finally:
            self._give_back()

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """Yield a cursor whose statements all see the database as it was at the first; read only.

        Raises as `transaction`.
        """
        connection = self._connected()
        try:
            with self._own_errors(connection), connection.cursor(cursor_factory=Cursor) as cursor:
                # Said with BEGIN: after a SET, RDS Proxy keeps the server's connection for this
                # client alone ("pinning").
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                try:
                    yield cursor
                finally:
                    if not connection.closed:
                        cursor.execute("ROLLBACK")  # there is nothing to commit
        finally:
            self._give_back()

    def alone(self, statement: Callable[[Cursor], Result]) -> Result:
        """Run one statement without BEGIN and COMMIT: one way to the database and back.

        A connection that turns out to be dead is made anew and the statement repeated, so it must
        be safe to repeat. Raises DatabaseUnavailable when that fails too.
        """
        if self._connection is not None:
            try:
                return self._alone(self._connection, statement)
            except DatabaseUnavailable:
                pass  # closed by now
        result = self._alone(self._connected(), statement)
        self._give_back()
        return result

    def _give_back(self) -> None:
        if not self._kept:
            self.close()

    def _alone(
        self, connection: extensions.connection, statement: Callable[[Cursor], Result]
    ) -> Result:
        with self._own_errors(connection), connection.cursor(cursor_factory=Cursor) as cursor:
            return statement(cursor)

    @contextmanager
    def _own_errors(self, connection: extensions.connection) -> Iterator[None]:
        """Turn psycopg2's errors into the project's own, and let go of a broken connection."""
        try:
            yield
        except psycopg2.Error as error:
            own = _own(error)
            if connection.closed or isinstance(own, DatabaseUnavailable):
                self.close()
            raise own from None
        self._used_at = time.monotonic()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> extensions.connection:
        if self._connection is not None and self._answers(self._connection):
            return self._connection
        self.close()
        try:
            connection = _while_full(lambda: self._connect(fresh_secret=False))
        except _WrongPassword:  # rotated since the secret was read
            connection = _while_full(lambda: self._connect(fresh_secret=True))
        self._connection = connection
        with self._own_errors(connection), connection.cursor(cursor_factory=Cursor) as cursor:
            cursor.execute(_CROWDED)
            self._kept = not cursor.fetchall()[0]["crowded"]
        return connection

    def _answers(self, connection: extensions.connection) -> bool:
        """Say whether an idle connection still lives; after a failover its socket is dead."""
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
            # libpq reports a refused password without a SQLSTATE; asking once more is harmless.
            if not fresh_secret and any(words in str(error) for words in _REFUSED_PASSWORD):
                raise _WrongPassword from None
            if any(words in str(error) for words in _FULL):
                raise _Full from None
            raise _unavailable() from None
        connection.autocommit = True  # `transaction` begins and ends its own
        return connection


class _WrongPassword(Exception):
    pass


class _Full(Exception):
    pass


def _while_full(connect: Callable[[], extensions.connection]) -> extensions.connection:
    """Connect; again and again while others hold all connections, for as long as one may wait."""
    try:
        return connect()
    except _Full:
        # Imported here: it imports asyncio, and the authorizer's cold start need not.
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_delay,
            wait_random_exponential,
        )
    try:
        return Retrying(
            retry=retry_if_exception_type(_Full),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            stop=stop_after_delay(_WAIT_SECONDS),
            reraise=True,
        )(connect)
    except _Full:
        raise _unavailable() from None


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database cannot be reached at the moment. What was stored is kept; try again.",
        retry_after=5,
    )


def _not_storable() -> InvalidInput:
    return InvalidInput(
        "A value cannot be stored: a text with a character that is none, or a number or time out "
        "of range. Nothing was changed.",
        code="database.value",
    )


def _own(error: psycopg2.Error) -> VideoError:
    """Turn psycopg2's error into the project's own, by SQLSTATE; RDS Proxy's by its words."""
    state = error.pgcode
    if _PROXY_IS_BUSY in str(error):
        return _unavailable()
    if state is not None and state.startswith(_VALUE):
        logger.error("value refused", extra={"sqlstate": state})
        return _not_storable()
    if state is None and isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return _unavailable()
    if state is not None and state.startswith(_UNAVAILABLE):
        return _unavailable()
    if state in _CONFLICT:
        return TransientError(
            "Two changes met in the database; nothing was changed. Try again.",
            code="database.conflict",
        )
    if state == _NO_PRIVILEGE:
        return PermanentError(
            f"The function's database role may not do this: {error.diag.message_primary} "
            f"(SQLSTATE {state}); nothing was changed. Its privileges are in "
            "functions/migrate/privileges.py.",
            code="database.refused",
        )
    return PermanentError(
        f"The database refused a statement (SQLSTATE {state or 'none'}); nothing was changed.",
        code="database.refused",
    )
