"""Gap: MiniStack's REST API sends a function's headers as they are.

API Gateway renames some of them to `x-amzn-Remapped-…` and puts its own ("Amazon API Gateway
important notes"). Of the list there, Content-Type and Content-Encoding are known to pass.
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
    """Rename those headers of a function's answer."""
    gateway = _ministack.module("services.apigateway_v1")
    invoke = gateway._invoke_lambda_proxy_v1

    async def invoke_remapping(*arguments: Any, **options: Any) -> Any:
        answer = await invoke(*arguments, **options)
        if not isinstance(answer, tuple):  # an error of the gateway itself
            return answer
        status, headers, body = answer
        renamed = {
            f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name: value
            for name, value in headers.items()
        }
        return status, renamed, body

    gateway._invoke_lambda_proxy_v1 = invoke_remapping
