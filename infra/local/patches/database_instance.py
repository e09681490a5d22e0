"""Gap: a DB instance of a template is only a record, without a server at its endpoint.

The patch creates the master role and the database in the local PostgreSQL and returns that server's
address. Like a master user of RDS, the role may create databases and roles, but is not a superuser.
"""

from pathlib import Path
from typing import Any

import pg8000.native

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack
from infra.local.state import State

ADMIN = "postgres"


def apply(settings: LauncherSettings) -> None:
    """Apply creation and update of an AWS::RDS::DBInstance to the local PostgreSQL."""
    handler = _ministack.handlers()["AWS::RDS::DBInstance"]
    create, update = handler["create"], handler["update"]

    def create_real(
        logical_id: str, properties: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, Any]]:
        identity, _ = create(logical_id, properties, stack)
        return _attach(settings, identity, properties)

    def update_real(
        identity: str, old: dict[str, Any], new: dict[str, Any], *rest: Any
    ) -> tuple[str, dict[str, Any]]:
        identity, _ = update(identity, old, new, *rest)
        return _attach(settings, identity, new)

    handler["create"], handler["update"] = create_real, update_real


def _attach(
    settings: LauncherSettings, identity: str, properties: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    engine = str(properties.get("Engine", ""))
    if not engine.startswith("postgres"):
        raise ValueError(
            f"the local cloud supports only PostgreSQL, but the template has the engine {engine}"
        )
    record = _ministack.module("services.rds")._instances[identity]
    ensure_database(
        settings,
        user=properties["MasterUsername"],
        password=properties["MasterUserPassword"],
        database=properties.get("DBName") or ADMIN,
    )
    record["Endpoint"] |= {"Address": "127.0.0.1", "Port": _port(settings)}
    return identity, _ministack.provisioners()._rds_db_instance_attrs(record)


def _port(settings: LauncherSettings) -> int:
    port = State.open(Path(settings.root)).remembered_port("postgres")
    if port is None:
        raise ValueError("PostgreSQL has not been started")
    return port


def ensure_database(settings: LauncherSettings, *, user: str, password: str, database: str) -> None:
    """Create the role and its database if they are missing, and set the role's password."""
    connection = pg8000.native.Connection(
        ADMIN, "127.0.0.1", ADMIN, _port(settings), settings.postgres_password
    )
    role, base = pg8000.native.identifier(user), pg8000.native.identifier(database)
    secret = pg8000.native.literal(password)
    try:
        known = connection.run("select 1 from pg_roles where rolname = :name", name=user)
        verb = "alter" if known else "create"
        connection.run(f"{verb} role {role} login createdb createrole password {secret}")
        if not connection.run("select 1 from pg_database where datname = :name", name=database):
            connection.run(f"create database {base} owner {role}")
    finally:
        connection.close()
