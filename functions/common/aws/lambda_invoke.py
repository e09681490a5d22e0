"""Asynchronous invocation of other Lambda functions."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common.aws import clients
from common.domain.errors import TransientError


def invoke_async(function_name: str, event: Mapping[str, Any]) -> None:
    """Queue the event for the function; Lambda delivers it at least once. Raises TransientError."""
    try:
        clients.functions().invoke(
            FunctionName=function_name,
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
    except (BotoCoreError, ClientError) as error:
        raise TransientError(
            "Lambda did not accept the event; nothing was done. Try again.",
            code="functions.unavailable",
        ) from error
