"""Gap: the access key `test`, and any twelve digits, are root, without a signature check.

With the patch only the clone's random access key is root. MiniStack still does not check its
signature, so the access key id is the secret. It is stored in `.local` with mode 0600 and is in no
URL, because only functions sign URLs, with the credentials of their roles.
"""

import hmac

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Accept one key as root, and MiniStack's internal calls, which have no key."""

    def is_root(access_key_id: str) -> bool:
        return not access_key_id or hmac.compare_digest(
            access_key_id.encode(), settings.access_key_id.encode()
        )

    _ministack.module("core.iam_evaluator").is_root_access_key = is_root
    _ministack.module("services.sts").is_root_access_key = is_root
