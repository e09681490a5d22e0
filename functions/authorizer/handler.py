"""Lambda function `authorizer`: authenticates API keys and returns the endpoints they may call.

It returns an IAM policy for all endpoints of the key. API Gateway responds with 401 to a missing or
invalid key, and with 403 for an endpoint that the key may not call. The API enforces rate limits
and budgets.
"""

from decimal import Decimal
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common import runtime
from common.aws import secrets
from common.aws.log import logger
from common.database.keys import ApiKey, find
from common.domain import api_keys
from common.domain.errors import VideoError
from common.domain.signed_links import SIGNED_LINK_ENDPOINTS
from common.settings import AuthorizerSettings


class UnauthorizedError(Exception):
    """The error that API Gateway turns into a 401, by its exact message `Unauthorized`."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


services = partial(runtime.services, AuthorizerSettings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the policy of the request's key.

    Fails closed: without the database or the secret, every request is denied.
    """
    headers = event.get("headers") or {}
    if _accepts_signed_link(event["methodArn"]) and not _has_key(headers):
        return _anonymous_policy(event["methodArn"])
    presented = _presented_key(headers)
    if presented is None or not api_keys.is_well_formed(presented):
        raise UnauthorizedError
    try:
        api_key = _operator_key(presented) or _stored_key(presented)
    except VideoError as error:
        logger.error("key not checked", extra={"code": error.error_code})
        # Not a 401, because the key may be valid. API Gateway responds with 503 as problem details.
        raise RuntimeError("The key could not be checked.") from None
    if api_key is None:
        raise UnauthorizedError
    return _policy(api_key, event["methodArn"])


def _accepts_signed_link(method_arn: str) -> bool:
    """Return whether the endpoint accepts a signed link, which the API verifies."""
    method, _, path = method_arn.split("/", 2)[2].partition("/")
    return f"{method} /{path}" in SIGNED_LINK_ENDPOINTS


def _has_key(headers: dict[str, str]) -> bool:
    return any(name.lower() in ("authorization", "x-api-key") for name in headers)


def _anonymous_policy(method_arn: str) -> dict[str, Any]:
    """Return the policy of a request without a key, which allows only this endpoint."""
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [method_arn]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "nobody", "policyDocument": document, "context": {}}


def _presented_key(headers: dict[str, str]) -> str | None:
    """Return the key in `Authorization: Bearer` or `X-API-Key`; None if they differ."""
    by_name = {name.lower(): value.strip() for name, value in headers.items() if value}
    scheme, _, bearer = by_name.get("authorization", "").partition(" ")
    presented = {bearer.strip()} if scheme.lower() == "bearer" else set()
    if "x-api-key" in by_name:
        presented.add(by_name["x-api-key"])
    return presented.pop() if len(presented) == 1 else None


def _operator_key(presented: str) -> ApiKey | None:
    secret_key = secrets.read(services().settings.keys_secret_arn)["SECRET_KEY"]
    if not api_keys.keys_match(
        presented, api_keys.operator_key(secret_key, services().settings.operator_user_id)
    ):
        return None
    return ApiKey(
        key_id=api_keys.OPERATOR_KEY_ID,
        user_id=services().settings.operator_user_id,
        name="Operator",
        live=True,
        scopes=["admin", "act_as"],
        endpoints=["*"],
        per_minute=api_keys.OPERATOR_PER_MINUTE,
        per_hour=api_keys.OPERATOR_PER_HOUR,
        max_concurrent_runs=api_keys.OPERATOR_CONCURRENT_RUNS,
    )


def _stored_key(presented: str) -> ApiKey | None:
    return services().database.run_autocommit(
        lambda cursor: find(cursor, api_keys.digest(presented))
    )


def _policy(api_key: ApiKey, method_arn: str) -> dict[str, Any]:
    api = "/".join(method_arn.split("/", 2)[:2])
    return {
        "principalId": api_key.key_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": [_resource(api, endpoint) for endpoint in api_key.endpoints],
                }
            ],
        },
        "context": {
            "key_id": api_key.key_id,
            "user_id": api_key.user_id,
            "live": "true" if api_key.live else "false",
            "scopes": " ".join(api_key.scopes),
            "per_minute": str(api_key.per_minute),
            "per_hour": str(api_key.per_hour),
            "max_runs": str(api_key.max_concurrent_runs),
            "daily_cap_usd": _text(api_key.daily_cap_usd),
            "monthly_cap_usd": _text(api_key.monthly_cap_usd),
        },
    }


def _text(cap: Decimal | None) -> str:
    """Return a cap as text for API Gateway's context: empty for no cap, which differs from 0."""
    return "" if cap is None else str(cap)


def _resource(api: str, endpoint: str) -> str:
    """Return the ARN of `GET /v1/videos/*`, or of `*`; `api` is an ARN that ends with the stage."""
    if endpoint == "*":
        return f"{api}/*"
    method, _, path = endpoint.partition(" ")
    return f"{api}/{method}{path}"
