"""Gap: a custom resource whose function fails blocks the deployment for an hour.

MiniStack waits for a response at the ResponseURL and ignores the result of the invocation. AWS also
waits if the function crashes, but locally a failed migration has to fail the deployment at once,
with its message.
"""

import json
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Send FAILED for a function that ended in error without sending a response."""
    lambda_service = _ministack.module("services.lambda_svc")
    custom_resource = _ministack.module("services.cloudformation.custom_resource")
    execute = lambda_service._execute_function_with_config_scope

    def execute_and_report(record: Any, event: Any, *rest: Any, **options: Any) -> Any:
        result = execute(record, event, *rest, **options)
        failed = isinstance(result, dict) and result.get("error")
        if failed and isinstance(event, dict) and "ResponseURL" in event:
            token = event["ResponseURL"].rsplit("/", 1)[-1]
            pending = custom_resource._pending.get(token)
            if pending is not None and pending["result"] is None:
                response = {
                    "Status": "FAILED",
                    "Reason": f"the function failed: {json.dumps(result.get('body'))[:1500]}",
                    "PhysicalResourceId": event.get("PhysicalResourceId") or event["RequestId"],
                }
                custom_resource.deliver_response(token, response)
        return result

    lambda_service._execute_function_with_config_scope = execute_and_report
