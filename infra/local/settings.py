"""Settings of the local cloud, from `.env` and the environment."""

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
# Stage settings that are read from the environment. Names of the others (such as LOG_LEVEL) may be
# set for other programs.
_STAGE_FIELDS = (
    *(name for name in config.SETTABLE if name.endswith(("_provider", "_base_url"))),
    "provider_limits",
    "daily_cap_usd",
)


_KEYS = frozenset(model.key for model in models.models() if model.key)


@dataclass(frozen=True)
class Settings:
    """Provider keys, by name, and overrides of stage settings."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    stage: Mapping[str, str] = field(default_factory=dict)


def read_env_file(path: Path = ENV_FILE) -> dict[str, str]:
    """Parse `KEY=VALUE` lines; comments, blank lines, `export` and surrounding quotes are allowed.

    Raises LocalCloudError with the line number, but not the line, which may contain a secret.
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
    """Return the settings of this clone; non-empty environment variables override `.env`.

    A provider key in `.env` selects its provider, unless another provider is set. A key that is
    only in the environment does not: it may be set for other programs, and a demo must not cost
    money unexpectedly. Raises LocalCloudError for an invalid setting.
    """
    file = read_env_file(path)
    values = {**file, **{name: value for name, value in environment.items() if value}}
    explicit = {name: value for name in _STAGE_FIELDS if (value := values.get(name.upper()))}
    by_key = {f"{kind}_provider": name for kind, name in models.paid_providers(file).items()}
    stage = {**by_key, **explicit}
    try:
        config.stage("local", stage)
    except ValueError as error:
        raise LocalCloudError(f"{path.name} or the environment: {error}") from error
    return Settings({name: values[name] for name in _KEYS if values.get(name)}, stage)


def put_provider_keys(connection: Connection, values: Mapping[str, str]) -> list[str]:
    """Store the values whose names are fields of the providers' secret; return their names.

    The stack defines the fields of the secret.
    """
    secret_id = connection.outputs.get("ProvidersSecretArn")
    if secret_id is None:
        return []
    secrets = connection.client("secretsmanager")
    stored = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    keys = {name: values[name] for name in stored if values.get(name)}
    if keys and {**stored, **keys} != stored:
        secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps({**stored, **keys}))
    return sorted(keys)


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()
