"""Gap: events of the REST API lack the URL of the request.

AWS sets `requestContext.domainName`, `requestContext.path` (the path as sent by the client, with
the stage) and the header X-Forwarded-Proto. The API builds its links from them.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Add domain name, path and protocol to the event."""
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
