"""Gap: with `AUTH=true` a bucket policy that requires TLS denies all requests over HTTP.

The emulator listens only on loopback, where TLS adds no protection. Local requests therefore count
as secure transport, and the stack's TLS-only bucket policies stay unchanged.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Resolve the condition key `aws:SecureTransport` to true."""
    evaluator = _ministack.module("core.iam_evaluator")
    resolve = evaluator._resolve_condition_key

    def resolve_secure(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    evaluator._resolve_condition_key = resolve_secure
