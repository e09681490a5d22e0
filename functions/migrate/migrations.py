"""Database migrations: the numbered SQL files of `migrate/versions`, each in one transaction."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yoyo

from common.aws import secrets
from common.database import CA_BUNDLE
from common.settings import DatabaseSettings, set_user_name

FOLDER = Path(__file__).parent / "versions"
# The key of an advisory lock, by which only one deployment migrates at a time.
_ADVISORY_LOCK = 7_239_401


def apply(settings: DatabaseSettings, folder: Path = FOLDER) -> int:
    """Apply the pending migrations in order and return their number; idempotent.

    A failed migration is rolled back, and the ones before it stay. Raises the database's error.
    """
    # yoyo records the user name, and fails if the user id has none, like Lambda's.
    set_user_name("migrate")
    url = _database_url(settings)
    lock_holder = yoyo.get_backend(url)
    backend = yoyo.get_backend(url)
    try:
        # PostgreSQL releases an advisory lock when the connection ends. yoyo's lock is a row, which
        # a killed deployment leaves behind. While we hold ours, such a row is always stale.
        lock_holder.execute("SELECT pg_advisory_lock(:key)", {"key": _ADVISORY_LOCK})
        backend.break_lock()
        migrations = backend.to_apply(yoyo.read_migrations(str(folder)))
        with backend.lock():
            backend.apply_migrations(migrations)
        return len(migrations)
    finally:
        _close(backend)
        _close(lock_holder)


def _database_url(settings: DatabaseSettings) -> str:
    secret = secrets.read(settings.database_secret_arn, fresh=True)
    user, password = (quote(secret[part], safe="") for part in ("username", "password"))
    options: dict[str, str] = {"sslmode": settings.database_tls}
    if settings.database_tls == "verify-full":
        options["sslrootcert"] = str(CA_BUNDLE)
    database = f"{settings.database_host}:{settings.database_port}/{settings.database_name}"
    return f"postgresql://{user}:{password}@{database}?{urlencode(options)}"


def _close(backend: Any) -> None:
    backend.connection.close()
