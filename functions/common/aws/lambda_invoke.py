"""The port to other functions: have one do something, without waiting for it."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common.aws import clients
from common.domain.errors import TransientError


def invoke_async(function_name: str, event: Mapping[str, Any]) -> None:
    """Hand the event over; Lambda delivers it at least once. Raises TransientError."""
    try:
        clients.functions().invoke(
            FunctionName=function_name,
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
    except (BotoCoreError, ClientError) as error:
        raise TransientError(
            "Lambda did not take the event; nothing was done. Try again.",
            code="functions.unavailable",
        ) from error
