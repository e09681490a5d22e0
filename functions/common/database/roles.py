"""SQL of database roles and their table privileges, run by `migrate` as the owner."""

from collections.abc import Iterable

from psycopg2 import extensions, sql

from common.database import Cursor

Privilege = tuple[str, str]  # name of a table or view, and a privilege such as "SELECT"


def ensure(cursor: Cursor, role: str, password: str) -> None:
    """Create the role if it is missing, and set its password.

    The statement contains the SCRAM verifier, so no statement log can leak the password.
    """
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
    verb = sql.SQL("ALTER" if cursor.rowcount else "CREATE")
    verifier = extensions.encrypt_password(
        password, role, scope=cursor.connection, algorithm="scram-sha-256"
    )
    cursor.execute(
        sql.SQL("{verb} ROLE {role} LOGIN NOINHERIT PASSWORD {verifier}").format(
            verb=verb, role=sql.Identifier(role), verifier=sql.Literal(verifier)
        )
    )


def privileges(cursor: Cursor, role: str) -> set[Privilege]:
    """Return the privileges granted to the role on tables and views."""
    cursor.execute(
        """
        SELECT c.relname, a.privilege_type
        FROM pg_class c CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND r.rolname = %s
        """,
        (role,),
    )
    return {(row["relname"], row["privilege_type"]) for row in cursor.fetchall()}


def grant(cursor: Cursor, role: str, wanted: Iterable[Privilege]) -> None:
    """Grant privileges to the role."""
    _change(cursor, "GRANT {privilege} ON {table} TO {role}", role, wanted)


def revoke(cursor: Cursor, role: str, unwanted: Iterable[Privilege]) -> None:
    """Revoke privileges from the role."""
    _change(cursor, "REVOKE {privilege} ON {table} FROM {role}", role, unwanted)


def _change(cursor: Cursor, statement: str, role: str, changed: Iterable[Privilege]) -> None:
    for table, privilege in sorted(changed):
        cursor.execute(
            sql.SQL(statement).format(
                privilege=sql.SQL(privilege),
                table=sql.Identifier(table),
                role=sql.Identifier(role),
            )
        )
