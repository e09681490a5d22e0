"""Gap: the event of a new object in a versioned bucket lacks the object's version.

On AWS the `version-id` of an event distinguishes an object from a later one with the same key.
"""

import json
import threading
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Add the version to the event, which one thread creates and dispatches."""
    s3, bridge = _ministack.module("services.s3"), _ministack.module("services.eventbridge")
    fire, dispatch = s3._fire_s3_event, bridge._dispatch_event
    sending = threading.local()

    def fire_with_version(*args: Any, version_id: str | None = None, **options: Any) -> None:
        sending.version = version_id
        try:
            fire(*args, version_id=version_id, **options)
        finally:
            sending.version = None

    def dispatch_with_version(event: dict[str, Any], *rest: Any) -> Any:
        version = getattr(sending, "version", None)
        if version and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *rest)

    s3._fire_s3_event = fire_with_version
    bridge._dispatch_event = dispatch_with_version
