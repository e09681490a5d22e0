"""What `.env` says: the providers' keys, which of them to take, and where they are."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.domain import models
from infra import config
from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.state import PROJECT

ENV_FILE = PROJECT / ".env"
# Settings of the stage that are read from here. Others (log level, origins) have names that an
# environment may hold for other reasons.
_STAGE_FIELDS = (
    *(name for name in config.SETTABLE if name.endswith(("_provider", "_base_url"))),
    "provider_limits",
    "daily_cap_usd",
)


_KEYS = frozenset(model.key for model in models.models() if model.key)


@dataclass(frozen=True)
class Settings:
    """Secrets for the stack, by the name of the key, and changes of its stage."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    stage: Mapping[str, str] = field(default_factory=dict)


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


def configured(environment: Mapping[str, str] = os.environ, path: Path = ENV_FILE) -> Settings:
    """Settings of this clone: the environment's where set and not empty, else those of `.env`.

    A key in `.env` makes its provider the one that is taken, unless another one is named. A key
    that is in the environment alone does not: many have one there for other programs, and would
    not expect to pay for a demo. Raises LocalCloudError for a setting that is wrong.
    """
    file = read_env_file(path)
    values = {**file, **{name: value for name, value in environment.items() if value}}
    named = {name: value for name in _STAGE_FIELDS if (value := values.get(name.upper()))}
    keyed = {f"{kind}_provider": name for kind, name in models.with_a_key(file).items()}
    stage = {**keyed, **named}
    try:
        config.stage("local", stage)
    except ValueError as error:
        raise LocalCloudError(f"{path.name} or the environment: {error}") from error
    return Settings({name: values[name] for name in _KEYS if values.get(name)}, stage)


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
