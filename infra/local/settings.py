"""Provider keys from `.env` or the environment, put into the secret that the stack made."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.state import PROJECT

ENV_FILE = PROJECT / ".env"


def read_env_file(path: Path = ENV_FILE) -> dict[str, str]:
    """`KEY=VALUE` lines; comments, blank lines, `export` and surrounding quotes are allowed.

    Raises LocalCloudError with the line's number, never with its content, which may be a secret.
    """
    if not path.exists():
        return {}
    values: dict[str, str] = {}
    for number, raw in enumerate(path.read_text().splitlines(), start=1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not name.strip().isidentifier():
            raise LocalCloudError(f"{path}, line {number}: expected KEY=VALUE.")
        values[name.strip()] = _unquoted(value.strip())
    return values


def configured(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Settings of this clone: the environment's where set and not empty, else `.env`'s."""
    return {**read_env_file(), **{name: value for name, value in environment.items() if value}}


def put_provider_keys(connection: Connection, values: Mapping[str, str]) -> list[str]:
    """Write the values that the providers' secret has fields for; the names of those set.

    The stack decides which keys exist: the fields of the secret that it made.
    """
    secret_id = connection.outputs.get("ProvidersSecretArn")
    if secret_id is None:
        return []
    secrets = connection.client("secretsmanager")
    before = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    found = {name: values[name] for name in before if values.get(name)}
    if found and {**before, **found} != before:
        secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps({**before, **found}))
    return sorted(found)


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()
