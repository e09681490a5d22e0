"""The database roles of the functions: their passwords and exactly the privileges of PRIVILEGES."""

import json
from collections.abc import Mapping

from common.aws import secrets
from common.database import Database, roles
from common.settings import MigrateSettings
from migrate.privileges import PRIVILEGES

# One deployment at a time, because PostgreSQL rejects concurrent changes of a role.
_LOCK = "SELECT pg_advisory_xact_lock(7239402)"


def apply(settings: MigrateSettings) -> None:
    """Update all roles from the secrets and PRIVILEGES, in one transaction; idempotent.

    A changed secret sets the role's new password. Open connections stay open.
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
                required = privileges(function)
                granted = roles.privileges(cursor, role)
                roles.grant(cursor, role, required - granted)
                roles.revoke(cursor, role, granted - required)
    finally:
        database.close()


def privileges(function: str) -> set[roles.Privilege]:
    """Return the function's privileges as pairs of table and privilege."""
    return {
        (table, privilege.upper())
        for table, names in PRIVILEGES[function].items()
        for privilege in names.split()
    }
