"""Both vendors as stand-ins, put behind the deployed stack for the length of a block."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.connection import Connection
from tests.e2e.client import Backstage
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn

PAID = {
    "text": {"provider": "openai"},
    "image": {"provider": "openai"},
    "video": {"provider": "runway"},
}
NO_LIMITS = "openai.images_per_minute=0,runway.jobs_at_once=0"
_CALLERS = ("api", "story", "image", "speech", "clip")


@dataclass(frozen=True)
class Vendors:
    """Both stand-ins, and the stack that calls them."""

    link: Connection
    openai: StandIn
    runway: StandIn
    _before: dict[str, dict[str, str]]

    def configure(self, addresses: dict[str, str], keys: dict[str, str]) -> None:
        """Set the functions' addresses and limits, and the keys in the stack's secret."""
        self.link.client("secretsmanager").put_secret_value(
            SecretId=self.link.outputs["ProvidersSecretArn"], SecretString=json.dumps(keys)
        )
        for name, variables in self._before.items():
            # A changed environment also ends the warm ones, and what they remember of the secret.
            self.link.client("lambda").update_function_configuration(
                FunctionName=f"VideoGenerator-local-{name}",
                Environment={"Variables": {**variables, **addresses}},
            )

    def limit(self, limits: str) -> None:
        """Let the stack call both vendors under these limits."""
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
    link: Connection, backstage: Backstage, root: Path, limits: str = NO_LIMITS
) -> Iterator[Vendors]:
    """Start both, let the stack call them, and take them away again."""
    before = {name: backstage.environment(name) for name in _CALLERS}
    mark = secrets.token_hex(16)  # keys that are found nowhere else
    with (
        openai.serve(root / "openai", api_key=f"sk-proj-{mark}openai") as text,
        runway.serve(root / "runway", api_key=f"key_{mark}runway") as film,
    ):
        vendors = Vendors(link, text, film, before)
        vendors.limit(limits)
        yield vendors
        vendors.configure({}, {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""})
