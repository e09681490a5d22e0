"""Mints API keys on a deployed stack: `python -m infra.keys --stage dev --user alice`.

The operator's own key is derived from the secret that the stack generated; whoever may read that
secret is the operator. It is used for one request, which mints a managed key.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import requests

from common import keys
from infra.config import STAGES


class MintError(Exception):
    """No key could be minted; the text says why and what to do."""


class Deployment(Protocol):
    """A deployed stack: its outputs, where its API answers, and clients of its services."""

    @property
    def outputs(self) -> dict[str, str]: ...

    @property
    def base_url(self) -> str: ...

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True)
class CloudDeployment:
    """The stage's stack in the AWS account of the environment's credentials."""

    stage: str

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        name = f"VideoGenerator-{self.stage}"
        stacks = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    @property
    def base_url(self) -> str:
        """Where the REST API answers."""
        return self.outputs["ApiUrl"].rstrip("/")

    def client(self, service: str) -> Any:
        """A boto3 client of the service."""
        import boto3

        session: Any = boto3.Session()
        return session.client(service)


def mint_key(
    deployment: Deployment,
    name: str,
    *,
    user_id: str = "demo",
    test: bool = False,
    per_minute: int = 60,
) -> str:
    """Return a new API key for the user; raises MintError."""
    response = requests.post(
        f"{deployment.base_url}/api/admin/api-keys",
        headers={"X-API-Key": operator_key(deployment)},
        json={
            "name": name,
            "userId": user_id,
            "test": test,
            "rateLimit": {"requestsPerMinute": per_minute, "requestsPerHour": per_minute * 20},
        },
        timeout=30,
    )
    if response.status_code != 201:
        raise MintError(
            f"No key was made; the API answered {response.status_code}: {_reason(response)}"
        )
    key: str = response.json()["apiKey"]["key"]
    return key


def operator_key(deployment: Deployment) -> str:
    """Derive the operator's key from the stack's secret."""
    secret = deployment.client("secretsmanager").get_secret_value(
        SecretId=deployment.outputs["KeysSecretArn"]
    )
    secret_key = json.loads(secret["SecretString"])["SECRET_KEY"]
    return keys.operator_key(secret_key, deployment.outputs["OperatorUserId"])


def _reason(response: requests.Response) -> str:
    try:
        problem: Any = response.json()
        return str(problem.get("detail") or problem)
    except ValueError:
        return response.text[:200]


def _deployment(stage: str) -> Deployment:
    if stage != "local":
        return CloudDeployment(stage)
    from infra.local import connection

    running = connection.current()
    if running is None:
        raise MintError("No local cloud is running in this clone. Start one with `make up`.")
    return running


def main() -> int:
    """Mint a key and print it, once."""
    parser = argparse.ArgumentParser(prog="python -m infra.keys", description=__doc__)
    parser.add_argument("--stage", default="local", choices=sorted(STAGES))
    parser.add_argument("--user", default="demo", help="owner of the key")
    parser.add_argument("--name", default="made with make key")
    parser.add_argument("--per-minute", type=int, default=60, help="requests a minute")
    parser.add_argument("--test", action="store_true", help="never reaches a paid provider")
    options = parser.parse_args()
    try:
        print(
            mint_key(
                _deployment(options.stage),
                options.name,
                user_id=options.user,
                test=options.test,
                per_minute=options.per_minute,
            )
        )
    except MintError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
