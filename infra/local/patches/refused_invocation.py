"""Gap: an invocation that MiniStack throttles fails without an error name.

In Step Functions the error is Lambda.TooManyRequestsException. A REST API returns
INTEGRATION_FAILURE, not Lambda's 429.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


class _Throttled(Exception):
    """Lambda throttled the invocation."""


def apply(settings: LauncherSettings) -> None:
    """Add the error name, and return the REST API's error."""
    service = _ministack.module("services.lambda_svc")
    gateway = _ministack.module("services.apigateway_v1")
    throttle, shape = service._throttle_response, gateway._lambda_proxy_response
    invoke = gateway._invoke_lambda_proxy_v1

    def throttle_with_name(*arguments: Any, **options: Any) -> dict[str, Any]:
        response: dict[str, Any] = throttle(*arguments, **options)
        response["body"]["errorType"] = "Lambda.TooManyRequestsException"
        return response

    def shape_run(result: dict[str, Any]) -> Any:
        if result.get("throttle"):
            raise _Throttled
        return shape(result)

    async def invoke_or_fail(*arguments: Any, **options: Any) -> Any:
        try:
            return await invoke(*arguments, **options)
        except _Throttled:
            return gateway._gw_error("INTEGRATION_FAILURE", "Internal server error")

    service._throttle_response = throttle_with_name
    gateway._lambda_proxy_response = shape_run
    gateway._invoke_lambda_proxy_v1 = invoke_or_fail
