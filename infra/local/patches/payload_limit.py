"""Gap: MiniStack does not limit the size of events and responses of functions.

Lambda limits both to 6 MB in a synchronous invocation ("Lambda quotas" in its guide). API Gateway
returns 413 for a larger event. A larger response is the error `Function.ResponseSizeTooLarge`, for
which API Gateway returns 502.
"""

import json
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack

MAX_BYTES = 6 * 1024 * 1024


def apply(settings: LauncherSettings) -> None:
    """Limit the size of REST API events and of function responses."""
    gateway, service = (
        _ministack.module(f"services.{name}") for name in ("apigateway_v1", "lambda_svc")
    )
    run, call = service._execute_function_with_config_scope, gateway._invoke_lambda_proxy_v1

    def run_limited(function: dict[str, Any], event: Any, *more: Any) -> dict[str, Any]:
        result: dict[str, Any] = run(function, event, *more)
        if not result.get("error") and _size(result.get("body")) > MAX_BYTES:
            return {**result, "error": True, "body": _TOO_LARGE}
        return result

    async def call_limited(
        integration: Any,
        api_id: str,
        stage_name: str,
        stage: Any,
        resource: Any,
        path: str,
        method: str,
        headers: dict[str, Any],
        body: bytes | None,
        *more: Any,
        **options: Any,
    ) -> Any:
        types = options.get("binary_media_types")
        if _event_size(body or b"", gateway, headers.get("content-type"), types) > MAX_BYTES:
            return gateway._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        return await call(
            integration,
            api_id,
            stage_name,
            stage,
            resource,
            path,
            method,
            headers,
            body,
            *more,
            **options,
        )

    service._execute_function_with_config_scope = run_limited
    gateway._invoke_lambda_proxy_v1 = call_limited


_TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
}


def _size(payload: Any) -> int:
    return len(payload) if isinstance(payload, str | bytes) else len(json.dumps(payload).encode())


def _event_size(body: bytes, gateway: Any, media_type: Any, binary_types: Any) -> int:
    """Return the size of the body in the event, as base64 or as a JSON string."""
    if gateway._media_type_matches(media_type, binary_types):
        return len(body) * 4 // 3
    return len(json.dumps(body.decode(errors="replace"), ensure_ascii=False).encode())
