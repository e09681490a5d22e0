"""Gap: under `AUTH=true` a bucket policy that asks for TLS denies everything on plain HTTP.

The emulator listens on loopback only, where TLS would protect from nobody; so a local request
counts as secure transport, and the stack keeps its TLS-only bucket policies unchanged.
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
