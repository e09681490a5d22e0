"""Gap: DeleteObjects takes the right to delete an object for the first key alone.

S3's documentation of DeleteObjects asks for `s3:DeleteObject` on every key, "always", and for
`s3:DeleteObjectVersion` beside it on every key whose version is named.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Check each key of a DeleteObjects request as documented."""
    actions = _ministack.module("core.iam_actions")
    more = actions.s3_additional_checks

    def checks(
        method: str, path: str, headers: Any, body: bytes, query: dict[str, Any]
    ) -> list[tuple[str, str]]:
        parts = [part for part in path.split("/") if part]
        if method != "POST" or len(parts) != 1 or "delete" not in query:
            found: list[tuple[str, str]] = more(method, path, headers, body, query)
            return found
        return [
            (action, arn)
            for arn, version in actions._s3_batch_delete_targets(parts[0], body)
            for action in ("s3:DeleteObject", *(["s3:DeleteObjectVersion"] if version else []))
        ]

    actions.s3_additional_checks = checks
