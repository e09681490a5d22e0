"""How to reach the cloud that runs in a clone: written by `up`, read by `demo`, keys and tests."""

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
        """Where the deployed REST API answers on this machine, without a slash at the end."""
        return local_url(self.outputs["ApiUrl"], self.endpoint)

    def client(self, service: str) -> Any:
        """A client of one service of the emulator; the same one for the same service."""
        return _client(self.endpoint, self.access_key_id, self.secret_access_key, service)

    def save(self, root: Path) -> None:
        """Write it where `current` finds it; readable by the owner only."""
        write_atomically(root / FILE, json.dumps(asdict(self), indent=1))


@cache
def _client(endpoint: str, access_key_id: str, secret_access_key: str, service: str) -> Any:
    # Neither a profile nor a settings file of this machine has any part in a local call.
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    # Local calls neither fail for a moment nor go through a proxy.
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
    """The cloud that runs in the clone with this state directory; None when none is ready."""
    if Lock(root).owner() is None:
        return None
    try:
        return Connection(**json.loads((root / FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget(root: Path) -> None:
    """Remove what `save` wrote."""
    (root / FILE).unlink(missing_ok=True)


def local_url(api_url: str, endpoint: str) -> str:
    """The emulator's address of a REST API whose URL in AWS would be `api_url`."""
    match = _API_URL.fullmatch(api_url)
    if match is None:
        return api_url.rstrip("/")
    return f"{endpoint}/_aws/execute-api/{match['api']}/{match['stage']}"
