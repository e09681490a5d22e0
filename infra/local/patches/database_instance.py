"""Gap: a DB instance of a template is only a record; nothing listens at its endpoint.

Here it makes the master role and the database in the local PostgreSQL and answers with that
server's address. The role is as powerful as a master user of RDS is: it may create databases and
roles, and is no superuser.
"""

from pathlib import Path
from typing import Any

import pg8000.native

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack
from infra.local.state import State

ADMIN = "postgres"


def apply(settings: LauncherSettings) -> None:
    """Let creating and updating an AWS::RDS::DBInstance act on the local PostgreSQL."""
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
        raise ValueError(f"the local cloud has PostgreSQL only, the template asks for {engine}")
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
    """Make the role with this password and the database that it owns, where they are missing."""
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
