"""Applies the numbered SQL files of `migrate/versions`, each in one transaction."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yoyo

from common.aws import secrets
from common.database import CA_BUNDLE
from common.settings import DatabaseSettings, name_user

FOLDER = Path(__file__).parent / "versions"
# Any number that nothing else in the database uses: one deployment migrates at a time.
_ADVISORY_LOCK = 7_239_401


def apply(settings: DatabaseSettings, folder: Path = FOLDER) -> int:
    """Apply what is not applied yet, in order; return how many. Applying again does nothing.

    A migration that fails is rolled back whole; those before it stay. Raises the database's error.
    """
    # yoyo notes who migrates, and fails if the user id has no name, as Lambda's may have none.
    name_user("migrate")
    address = _address(settings)
    guard = yoyo.get_backend(address)
    backend = yoyo.get_backend(address)
    try:
        # The lock goes with the connection, however that ends; yoyo's own lock is a row, which a
        # killed deployment leaves behind. Under ours it can only be such a leftover.
        guard.execute("SELECT pg_advisory_lock(:key)", {"key": _ADVISORY_LOCK})
        backend.break_lock()
        migrations = backend.to_apply(yoyo.read_migrations(str(folder)))
        with backend.lock():
            backend.apply_migrations(migrations)
        return len(migrations)
    finally:
        _close(backend)
        _close(guard)


def _address(settings: DatabaseSettings) -> str:
    secret = secrets.read(settings.database_secret_arn, fresh=True)
    user, password = (quote(secret[part], safe="") for part in ("username", "password"))
    options: dict[str, str] = {"sslmode": settings.database_tls}
    if settings.database_tls == "verify-full":
        options["sslrootcert"] = str(CA_BUNDLE)
    place = f"{settings.database_host}:{settings.database_port}/{settings.database_name}"
    return f"postgresql://{user}:{password}@{place}?{urlencode(options)}"


def _close(backend: Any) -> None:
    backend.connection.close()
