"""Gap: there is no record of the permissions that functions use, as CloudTrail has on AWS.

The patch logs each decision about a role's request as a line of JSON in `log/iam.jsonl`, with role
name, action, resource and result. `make iam` reads it to find the permissions in use.
"""

import json
from pathlib import Path
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Log the evaluator's decisions about requests of assumed roles."""
    evaluator, sts = _ministack.module("core.iam_evaluator"), _ministack.module("services.sts")
    decide = evaluator.enforce
    log = Path(settings.root, "log", "iam.jsonl")
    file = log.open("w", buffering=1)

    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = decide(access_key_id, iam_action, service, region, resource_arn, service_context)
        session = sts._sessions.get(access_key_id) or {}
        _, separator, name = session.get("Arn", "").partition(":assumed-role/")
        if separator:
            decision = {
                "role": name.partition("/")[0],
                "action": iam_action,
                "resource": resource_arn,
                "allowed": denied is None,
            }
            file.write(json.dumps(decision) + "\n")
        return denied

    evaluator.enforce = enforce
