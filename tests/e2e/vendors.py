"""Stand-ins of both vendors that the deployed stack calls within a context manager."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.connection import Connection
from tests.e2e.client import StackAccess
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn

PAID = {
    "text": {"provider": "openai"},
    "image": {"provider": "openai"},
    "video": {"provider": "runway"},
}
NO_LIMITS = "openai.images_per_minute=0,runway.jobs_at_once=0"
_FUNCTIONS = ("api", "story", "image", "speech", "clip")


@dataclass(frozen=True)
class Vendors:
    """The stand-ins of both vendors and the stack that calls them."""

    link: Connection
    openai: StandIn
    runway: StandIn
    _environments: dict[str, dict[str, str]]

    def configure(self, addresses: dict[str, str], keys: dict[str, str]) -> None:
        """Set the functions' addresses and limits, and the keys in the stack's secret."""
        self.link.client("secretsmanager").put_secret_value(
            SecretId=self.link.outputs["ProvidersSecretArn"], SecretString=json.dumps(keys)
        )
        for name, variables in self._environments.items():
            # A changed environment also ends warm instances, which cache the secret.
            self.link.client("lambda").update_function_configuration(
                FunctionName=f"VideoGenerator-local-{name}",
                Environment={"Variables": {**variables, **addresses}},
            )

    def limit(self, limits: str) -> None:
        """Configure the stack to call both stand-ins under these limits."""
        self.configure(
            {
                "OPENAI_BASE_URL": self.openai.base_url,
                "RUNWAY_BASE_URL": self.runway.base_url,
                "PROVIDER_LIMITS": limits,
            },
            {"OPENAI_API_KEY": self.openai.api_key, "RUNWAY_API_KEY": self.runway.api_key},
        )


@contextmanager
def serve(
    link: Connection, stack: StackAccess, root: Path, limits: str = NO_LIMITS
) -> Iterator[Vendors]:
    """Start both stand-ins, configure the stack to call them, and undo it at the end."""
    environments = {name: stack.environment(name) for name in _FUNCTIONS}
    marker = secrets.token_hex(16)  # makes the keys unique
    with (
        openai.serve(root / "openai", api_key=f"sk-proj-{marker}openai") as text,
        runway.serve(root / "runway", api_key=f"key_{marker}runway") as video,
    ):
        vendors = Vendors(link, text, video, environments)
        vendors.limit(limits)
        yield vendors
        vendors.configure({}, {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""})
