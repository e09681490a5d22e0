"""Gap: DeleteObjects checks the permission to delete only for the first key.

According to the S3 documentation of DeleteObjects, every key requires `s3:DeleteObject` ("always"),
and every key with a version also requires `s3:DeleteObjectVersion`.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Check the permissions of each key of a DeleteObjects request."""
    actions = _ministack.module("core.iam_actions")
    original = actions.s3_additional_checks

    def checks(
        method: str, path: str, headers: Any, body: bytes, query: dict[str, Any]
    ) -> list[tuple[str, str]]:
        parts = [part for part in path.split("/") if part]
        if method != "POST" or len(parts) != 1 or "delete" not in query:
            pairs: list[tuple[str, str]] = original(method, path, headers, body, query)
            return pairs
        return [
            (action, arn)
            for arn, version in actions._s3_batch_delete_targets(parts[0], body)
            for action in ("s3:DeleteObject", *(["s3:DeleteObjectVersion"] if version else []))
        ]

    actions.s3_additional_checks = checks
