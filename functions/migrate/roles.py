"""Gives each function's database role its password and exactly the privileges of the table."""

import json
from collections.abc import Mapping

from common.aws import secrets
from common.database import Database, roles
from common.settings import MigrateSettings
from migrate.privileges import PRIVILEGES

# One deployment at a time: PostgreSQL refuses two that change one role side by side.
_LOCK = "SELECT pg_advisory_xact_lock(7239402)"


def apply(settings: MigrateSettings) -> None:
    """Make the roles as the secrets and PRIVILEGES say, in one transaction; safe to repeat.

    After a secret has been changed this sets the new password. Open connections stay open.
    """
    arns: Mapping[str, str] = json.loads(settings.database_role_arns)
    logins = {name: secrets.read(arn, fresh=True) for name, arn in arns.items()}
    database = Database(settings)
    try:
        with database.transaction() as cursor:
            cursor.execute(_LOCK)
            for function, login in logins.items():
                role = login["username"]
                roles.ensure(cursor, role, login["password"])
                wanted = privileges(function)
                granted = roles.privileges(cursor, role)
                roles.grant(cursor, role, wanted - granted)
                roles.revoke(cursor, role, granted - wanted)
    finally:
        database.close()


def privileges(function: str) -> set[roles.Privilege]:
    """Return the function's privileges, one by one."""
    return {
        (table, privilege.upper())
        for table, names in PRIVILEGES[function].items()
        for privilege in names.split()
    }
