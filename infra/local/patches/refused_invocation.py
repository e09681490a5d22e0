"""Gap: a function that MiniStack refuses to run, for want of concurrency, fails without a name.

Step Functions calls it Lambda.TooManyRequestsException, and a REST API answers
INTEGRATION_FAILURE, not Lambda's 429.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


class _Refused(Exception):
    """Lambda did not run the function."""


def apply(settings: LauncherSettings) -> None:
    """Give the refusal its name, and the REST API its answer."""
    service = _ministack.module("services.lambda_svc")
    gateway = _ministack.module("services.apigateway_v1")
    refuse, shape = service._throttle_response, gateway._lambda_proxy_response
    invoke = gateway._invoke_lambda_proxy_v1

    def refuse_by_name(*arguments: Any, **options: Any) -> dict[str, Any]:
        refusal: dict[str, Any] = refuse(*arguments, **options)
        refusal["body"]["errorType"] = "Lambda.TooManyRequestsException"
        return refusal

    def shape_run(result: dict[str, Any]) -> Any:
        if result.get("throttle"):
            raise _Refused
        return shape(result)

    async def invoke_or_fail(*arguments: Any, **options: Any) -> Any:
        try:
            return await invoke(*arguments, **options)
        except _Refused:
            return gateway._gw_error("INTEGRATION_FAILURE", "Internal server error")

    service._throttle_response = refuse_by_name
    gateway._lambda_proxy_response = shape_run
    gateway._invoke_lambda_proxy_v1 = invoke_or_fail
