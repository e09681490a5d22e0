"""Connection data of a clone's running cloud: written by `up`, read by `demo`, `key` and tests."""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from infra.local.launcher_settings import REGION
from infra.local.state import PROJECT, Lock, write_atomically

STATE_DIRECTORY = PROJECT / ".local"
FILE = "running.json"
_API_URL = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.[^/]+/(?P<stage>[^/]+)/?")


@dataclass(frozen=True)
class Connection:
    """Endpoint, root credentials and stack outputs of a running local cloud."""

    endpoint: str  # of every AWS service, for example http://127.0.0.1:40123
    access_key_id: str
    secret_access_key: str
    stack: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """Base URL of the deployed REST API on this machine, without a trailing slash."""
        return local_url(self.outputs["ApiUrl"], self.endpoint)

    def client(self, service: str) -> Any:
        """Return the cached client for a service of the emulator."""
        return _client(self.endpoint, self.access_key_id, self.secret_access_key, service)

    def save(self, root: Path) -> None:
        """Write it for `current`, readable by the owner only."""
        write_atomically(root / FILE, json.dumps(asdict(self), indent=1))


@cache
def _client(endpoint: str, access_key_id: str, secret_access_key: str, service: str) -> Any:
    # Local calls ignore the profiles and configuration files of this machine.
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    # Local calls have no transient errors and use no proxy.
    config = Config(
        retries={"total_max_attempts": 1}, proxies={}, connect_timeout=5, read_timeout=120
    )
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=config,
    )


def current(root: Path = STATE_DIRECTORY) -> Connection | None:
    """Return the connection of the cloud with this state directory, or None if none is ready."""
    if Lock(root).owner() is None:
        return None
    try:
        return Connection(**json.loads((root / FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget(root: Path) -> None:
    """Delete the file that `save` wrote."""
    (root / FILE).unlink(missing_ok=True)


def local_url(api_url: str, endpoint: str) -> str:
    """Return the emulator's URL of the REST API that AWS would serve at `api_url`."""
    match = _API_URL.fullmatch(api_url)
    if match is None:
        return api_url.rstrip("/")
    return f"{endpoint}/_aws/execute-api/{match['api']}/{match['stage']}"
