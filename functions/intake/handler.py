"""Lambda function `intake`: starts runs for files that are dropped into the bucket's inbox.

EventBridge sends an event for each new object under `inbox/` to an SQS queue. The queue delays it
by a few seconds, so that files that belong together have arrived, and retries failed messages.
"""

import json
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common import runtime
from common.application.admission import Admission
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.settings import IntakeSettings
from common.storage.inbox_keys import InboxObject
from intake.reception import Intake

services = partial(runtime.services, IntakeSettings)


@runtime.warm
def intake() -> Intake:
    """Return the use case with the function's services."""
    database, store = services().database, services().store
    return Intake(Admission(services().settings, database, store), database, store)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Receive the object of the queue's message; if this raises, SQS delivers the message again."""
    (record,) = event["Records"]
    detail = json.loads(record["body"])["detail"]
    inbox_object = InboxObject(
        detail["bucket"]["name"], detail["object"]["key"], detail["object"]["version-id"]
    )
    logger.append_keys(object_id=inbox_object.object_id)
    receive_count = int(record["attributes"]["ApproximateReceiveCount"])
    is_last = receive_count >= services().settings.inbox_receives
    outcome = intake().receive(inbox_object, last=is_last)
    logger.info("object received", extra={"done": outcome})
    metrics.add_metric("ObjectsReceived", MetricUnit.Count, 1)
    return {"done": outcome}
