"""Gap: the access key `test`, and any twelve digits, are root, and root's signature is not read.

Here only this clone's own random access key is root. Its signature is still not checked by
MiniStack, so the access key id itself is the secret; it is kept in `.local` with mode 0600 and
appears in no URL, because only functions sign URLs, with credentials of their roles.
"""

import hmac

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Accept one key as root, besides MiniStack's own internal calls, which carry none."""

    def is_root(access_key_id: str) -> bool:
        return not access_key_id or hmac.compare_digest(
            access_key_id.encode(), settings.access_key_id.encode()
        )

    _ministack.module("core.iam_evaluator").is_root_access_key = is_root
    _ministack.module("services.sts").is_root_access_key = is_root
