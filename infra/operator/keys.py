"""Minting of API keys on a deployed stack: `python -m infra.operator.keys --stage dev --user ann`.

The operator's key is derived from the secret that the stack generated, so read access to that
secret is operator access. The command uses it for one request, which mints a managed key, or prints
it (`--operator`).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import requests
from botocore.exceptions import BotoCoreError, ClientError

from common.domain import api_keys
from infra.config import STAGES
from infra.operator.aws import Aws
from infra.operator.errors import explain


class MintError(Exception):
    """No key could be minted; the message says why and what to do."""


class Deployment(Protocol):
    """A deployed stack: its outputs, its API's base URL, and clients for its services."""

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
        name = STAGES[self.stage].stack_name
        with _explained(f"The stack {name} cannot be read"):
            stacks = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    @property
    def base_url(self) -> str:
        """Base URL of the REST API, without a trailing slash."""
        return self.outputs["ApiUrl"].rstrip("/")

    def client(self, service: str) -> Any:
        """Return a boto3 client for the service."""
        with _explained("No AWS client could be created"):
            return Aws().client(service)


def mint_key(
    deployment: Deployment,
    name: str,
    *,
    user_id: str = "demo",
    test: bool = False,
    per_minute: int = 60,
    timeout: float = 30,
    **fields: Any,
) -> str:
    """Mint and return an API key for the user.

    `fields` are further fields of `POST /api/admin/api-keys`. Raises MintError if the API rejects
    the request or does not respond within `timeout` seconds.
    """
    try:
        response = requests.post(
            f"{deployment.base_url}/api/admin/api-keys",
            headers={"X-API-Key": operator_key(deployment)},
            json={
                "name": name,
                "userId": user_id,
                "test": test,
                "rateLimit": {"requestsPerMinute": per_minute, "requestsPerHour": per_minute * 20},
                **fields,
            },
            timeout=timeout,
        )
    except requests.RequestException as error:
        raise MintError(
            f"The API at {deployment.base_url} does not respond ({type(error).__name__}). "
            "A key may have been created; GET /api/admin/api-keys lists all keys."
        ) from error
    if response.status_code != 201:
        raise MintError(
            f"No key was created. The API returned {response.status_code}: {_reason(response)}"
        )
    key: str = response.json()["apiKey"]["key"]
    return key


def operator_key(deployment: Deployment) -> str:
    """Derive the operator's key from the stack's secret."""
    arn = deployment.outputs["KeysSecretArn"]
    with _explained("The operator's secret cannot be read"):
        secret = deployment.client("secretsmanager").get_secret_value(SecretId=arn)
    secret_key = json.loads(secret["SecretString"])["SECRET_KEY"]
    return api_keys.operator_key(secret_key, deployment.outputs["OperatorUserId"])


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise MintError, with an explanation, for AWS errors and missing credentials."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise MintError(
            f"{what}: {explain(error)}\nNo key was created. Check credentials, region and --stage."
        ) from error


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.operator.keys", description="Mint an API key and print it, once."
    )
    add = parser.add_argument
    add("--stage", default="local", choices=sorted(STAGES))
    add("--operator", action="store_true", help="print the operator's key instead of minting one")
    add("--user", default="demo", help="user that owns the key (default: demo)")
    add("--name", default="made with make key", help="description of the key")
    add("--test", action="store_true", help="never call a paid provider")
    add("--act-as", action="store_true", help="allow acting for other users")
    add(
        "--endpoint",
        action="append",
        metavar="'GET /v1/*'",
        help="allow only this endpoint; repeatable",
    )
    add("--per-minute", type=int, default=60, help="requests per minute (default: 60)")
    add("--per-hour", type=int, default=1000, help="requests per hour (default: 1000)")
    add("--runs", type=int, default=10, help="concurrent runs (default: 10)")
    add("--daily-cap", metavar="USD", help="spending cap per day")
    add("--monthly-cap", metavar="USD", help="spending cap per month")
    add("--expires-in", type=int, metavar="DAYS", help="days until the key expires")
    return parser


def _key(options: argparse.Namespace) -> str:
    deployment, days = _deployment(options.stage), options.expires_in
    if options.operator:
        return operator_key(deployment)
    return mint_key(
        deployment,
        options.name,
        user_id=options.user,
        test=options.test,
        scopes=["act_as"] if options.act_as else [],
        allowedEndpoints=options.endpoint or ["*"],
        rateLimit={"requestsPerMinute": options.per_minute, "requestsPerHour": options.per_hour},
        maxConcurrentRuns=options.runs,
        dailyCapUsd=options.daily_cap,
        monthlyCapUsd=options.monthly_cap,
        expiresIn=None if days is None else days * 24 * 3600,
    )


def main() -> int:
    """Mint and print a key; return 1 with the error on standard error if that fails."""
    options = _parser().parse_args()
    try:
        print(_key(options))
    except MintError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
