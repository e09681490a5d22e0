"""Gap: MiniStack's REST API has no integration timeout, and `requestTimeEpoch` starts too late.

API Gateway gives up after the integration's timeout (29 s by default) and returns
INTEGRATION_TIMEOUT, while the function continues. The timeout includes the INIT phase of a cold
start, which the function's timeout does not. Here both timeout and `requestTimeEpoch` start with
the request.
"""

import asyncio
import time
from contextvars import ContextVar
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack

_received_at: ContextVar[float] = ContextVar("received_at")  # seconds since the epoch


def apply(settings: LauncherSettings) -> None:
    """Measure from the start of the request, and enforce the timeout."""
    gateway = _ministack.module("services.apigateway_v1")
    execute, build = gateway._handle_execute_in_scope, gateway._build_lambda_event_v1
    invoke = gateway._invoke_lambda_proxy_v1
    given_up: set[asyncio.Task[Any]] = set()  # asyncio keeps only weak references to tasks

    async def execute_measured(*arguments: Any) -> Any:
        _received_at.set(time.time())
        return await execute(*arguments)

    def build_measured(*arguments: Any, **options: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*arguments, **options)
        event["requestContext"]["requestTimeEpoch"] = int(_received_at.get() * 1000)
        return event

    async def invoke_limited(integration: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        call = asyncio.ensure_future(invoke(integration, *arguments, **options))
        limit = (integration.get("timeoutInMillis") or 29_000) / 1000
        remaining = _received_at.get() + limit - time.time()
        await asyncio.wait({call}, timeout=max(0, remaining))
        if call.done():
            return call.result()
        given_up.add(call)
        call.add_done_callback(given_up.discard)
        return gateway._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")

    gateway._handle_execute_in_scope = execute_measured
    gateway._build_lambda_event_v1 = build_measured
    gateway._invoke_lambda_proxy_v1 = invoke_limited
