"""Gap: a function behind the REST API is not told under which address it was called.

AWS says it in `requestContext.domainName` and `requestContext.path` (the path as the client wrote
it, with the stage) and in the header X-Forwarded-Proto; links that the API makes begin with it.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Fill in the address of this machine."""
    gateway = _ministack.module("services.apigateway_v1")
    build = gateway._build_lambda_event_v1

    def build_with_address(
        api_id: str,
        stage_name: str,
        stage: Any,
        resource: Any,
        path: str,
        method: str,
        headers: dict[str, Any],
        *more: Any,
        **options: Any,
    ) -> dict[str, Any]:
        event: dict[str, Any] = build(
            api_id, stage_name, stage, resource, path, method, headers, *more, **options
        )
        context = event["requestContext"]
        context["domainName"] = headers.get("host", "")
        context["path"] = f"/_aws/execute-api/{api_id}/{stage_name}{path}"
        event["headers"]["X-Forwarded-Proto"] = "http"
        event["multiValueHeaders"]["X-Forwarded-Proto"] = ["http"]
        return event

    gateway._build_lambda_event_v1 = build_with_address
