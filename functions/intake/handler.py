"""The inbox: an object that is dropped into the bucket starts a run.

EventBridge puts the event of each new object below `inbox/` into a queue, which waits a few
seconds, so that files that belong together are there, and keeps what could not be done yet.
"""

import json
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common.application.admission import Admission
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import Database
from common.settings import IntakeSettings, load
from common.storage.inbox_keys import InboxObject
from common.storage.s3 import S3MediaStore
from intake.reception import Intake


@cache
def settings() -> IntakeSettings:
    """The function's settings, checked once."""
    return load(IntakeSettings)


@cache
def intake() -> Intake:
    """The use case, on the warm environment's connection."""
    database, store = Database(settings()), S3MediaStore(settings().media_bucket)
    return Intake(Admission(settings(), database, store), database, store)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Take in the one object that the queue's message is about; an error brings it back later."""
    (record,) = event["Records"]
    detail = json.loads(record["body"])["detail"]
    dropped = InboxObject(
        detail["bucket"]["name"], detail["object"]["key"], detail["object"]["version-id"]
    )
    logger.append_keys(object_id=dropped.object_id)
    received = int(record["attributes"]["ApproximateReceiveCount"])
    done = intake().receive(dropped, last=received >= settings().inbox_receives)
    logger.info("object received", extra={"done": done})
    metrics.add_metric("ObjectsReceived", MetricUnit.Count, 1)
    return {"done": done}
