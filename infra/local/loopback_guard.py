"""ASGI middleware that protects the emulator from web pages and blocks its admin endpoints.

A page in the developer's browser can send requests to 127.0.0.1. A cross-origin write has the
page's `Origin`, and a page whose domain name resolves to 127.0.0.1 (DNS rebinding) has that domain
in `Host`. The middleware rejects both.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The emulator serves these prefixes without credentials. All but the open paths reset state, change
# settings or expose messages.
ADMIN_PREFIXES = ("/_ministack/", "/_localstack/")
OPEN_ADMIN_PATHS = ("/_ministack/health", "/_ministack/cfn-response/")


def guarded(app: App) -> App:
    """Wrap `app` to reject requests for which `refusal` returns a reason."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        reason = refusal(scope["path"], scope["headers"])
        if reason is None:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _reject(send, reason)

    return guard


def refusal(path: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the reason to reject a request, or None. `headers` are ASGI pairs of bytes."""
    hosts = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
    if len(hosts) != 1 or not _is_loopback(f"//{hosts[0]}"):
        return "The Host header must name this machine (127.0.0.1 or localhost)."
    for name, value in headers:
        if name.lower() == b"origin" and not _is_loopback(value.decode("latin-1")):
            return "Cross-origin requests are not allowed (Origin header)."
    if path.startswith(ADMIN_PREFIXES) and not path.startswith(OPEN_ADMIN_PATHS):
        return "The emulator's admin endpoints are not available over HTTP."
    return None


def _is_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


async def _reject(send: Send, reason: str) -> None:
    problem = {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "code": "local.forbidden",
        "detail": reason,
    }
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
