"""The authorizer of the REST API: who calls, and which endpoints that key may use.

Its answer is a policy over all of the key's endpoints. Without a valid key API Gateway answers
401, for an endpoint that the key may not use 403. Limits and budgets are the API's to enforce.
"""

from decimal import Decimal
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common.aws import secrets
from common.aws.log import logger
from common.database import Database
from common.database.keys import ApiKey, find
from common.domain import api_keys
from common.domain.errors import VideoError
from common.domain.signed_links import WITHOUT_A_KEY
from common.settings import AuthorizerSettings, load


class UnauthorizedError(Exception):
    """API Gateway turns exactly the message `Unauthorized` into a 401."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@cache
def settings() -> AuthorizerSettings:
    """The function's settings, checked once."""
    return load(AuthorizerSettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the policy of the request's key. Fails closed: no database or secret, no entry."""
    headers = event.get("headers") or {}
    if _opens_by_a_link(event["methodArn"]) and not _carries_a_key(headers):
        return _nobody(event["methodArn"])
    presented = _presented(headers)
    if presented is None or not api_keys.is_well_formed(presented):
        raise UnauthorizedError
    try:
        owner = _operator(presented) or _managed(presented)
    except VideoError as error:
        logger.error("key not checked", extra={"code": error.error_code})
        # Not a 401: the key may be good. API Gateway answers 503 in the project's error shape.
        raise RuntimeError("The key could not be checked.") from None
    if owner is None:
        raise UnauthorizedError
    return _policy(owner, event["methodArn"])


def _opens_by_a_link(method_arn: str) -> bool:
    """Say whether the endpoint takes the capability of a link, which the API itself checks."""
    method, _, path = method_arn.split("/", 2)[2].partition("/")
    return f"{method} /{path}" in WITHOUT_A_KEY


def _carries_a_key(headers: dict[str, str]) -> bool:
    return any(name.lower() in ("authorization", "x-api-key") for name in headers)


def _nobody(method_arn: str) -> dict[str, Any]:
    """Return the policy of a request without a key: this one endpoint, on nobody's behalf."""
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [method_arn]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "nobody", "policyDocument": document, "context": {}}


def _presented(headers: dict[str, str]) -> str | None:
    """Return the key in `Authorization: Bearer` or `X-API-Key`; none if the two differ."""
    by_name = {name.lower(): value.strip() for name, value in headers.items() if value}
    scheme, _, bearer = by_name.get("authorization", "").partition(" ")
    found = {bearer.strip()} if scheme.lower() == "bearer" else set()
    if "x-api-key" in by_name:
        found.add(by_name["x-api-key"])
    return found.pop() if len(found) == 1 else None


def _operator(presented: str) -> ApiKey | None:
    secret_key = secrets.read(settings().keys_secret_arn)["SECRET_KEY"]
    if not api_keys.digests_match(
        presented, api_keys.operator_key(secret_key, settings().operator_user_id)
    ):
        return None
    return ApiKey(
        key_id=api_keys.OPERATOR_KEY_ID,
        user_id=settings().operator_user_id,
        name="Operator",
        live=True,
        scopes=["admin", "act_as"],
        endpoints=["*"],
        per_minute=api_keys.OPERATOR_PER_MINUTE,
        per_hour=api_keys.OPERATOR_PER_HOUR,
        max_concurrent_runs=api_keys.OPERATOR_CONCURRENT_RUNS,
    )


def _managed(presented: str) -> ApiKey | None:
    return database().alone(lambda cursor: find(cursor, api_keys.digest(presented)))


def _policy(owner: ApiKey, method_arn: str) -> dict[str, Any]:
    api = "/".join(method_arn.split("/", 2)[:2])
    return {
        "principalId": owner.key_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": [_resource(api, endpoint) for endpoint in owner.endpoints],
                }
            ],
        },
        "context": {
            "key_id": owner.key_id,
            "user_id": owner.user_id,
            "live": "true" if owner.live else "false",
            "scopes": " ".join(owner.scopes),
            "per_minute": str(owner.per_minute),
            "per_hour": str(owner.per_hour),
            "max_runs": str(owner.max_concurrent_runs),
            "daily_cap_usd": _text(owner.daily_cap_usd),
            "monthly_cap_usd": _text(owner.monthly_cap_usd),
        },
    }


def _text(cap: Decimal | None) -> str:
    """Return a cap as API Gateway passes it on: empty is none, and 0 is not empty."""
    return "" if cap is None else str(cap)


def _resource(api: str, endpoint: str) -> str:
    """Turn `GET /v1/videos/*`, or `*`, into the ARN of a method; `api` ends with the stage."""
    if endpoint == "*":
        return f"{api}/*"
    method, _, path = endpoint.partition(" ")
    return f"{api}/{method}{path}"
