"""Gap: MiniStack's REST API passes a function's response headers through unchanged.

API Gateway renames some headers to `x-amzn-Remapped-…` and sets its own ("Amazon API Gateway
important notes"). Content-Type and Content-Encoding are on that list, but are known to pass.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack

REMAPPED = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "age", "authorization", "connection"),
        *("content-length", "content-md5", "date", "expect", "host", "max-forwards", "pragma"),
        *("proxy-authenticate", "range", "referer", "server", "te", "trailer"),
        *("transfer-encoding", "upgrade", "user-agent", "via", "warn", "www-authenticate"),
    }
)


def apply(settings: LauncherSettings) -> None:
    """Rename these headers of function responses."""
    gateway = _ministack.module("services.apigateway_v1")
    invoke = gateway._invoke_lambda_proxy_v1

    async def invoke_remapping(*arguments: Any, **options: Any) -> Any:
        response = await invoke(*arguments, **options)
        if not isinstance(response, tuple):  # an error of the gateway
            return response
        status, headers, body = response
        renamed = {
            f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name: value
            for name, value in headers.items()
        }
        return status, renamed, body

    gateway._invoke_lambda_proxy_v1 = invoke_remapping
