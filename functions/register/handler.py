"""Lambda function `register`: turns an uploaded file into a media object, or refuses it.

EventBridge delivers an event for each object under `_uploads/`, at least once and in any order. The
function stores the inspected file itself under a key of the user's folder, so the client cannot
replace it meanwhile, and always deletes the uploaded object.
"""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common import runtime
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import uploads
from common.database.uploads import Upload
from common.domain.errors import InvalidInput, MediaError, NotFound
from common.domain.uploads import MOST_BYTES
from common.media.scratch import scratch
from common.settings import RegisterSettings
from common.storage import ObjectInfo, parse_upload_key
from register.inspection import measure

services = partial(runtime.services, RegisterSettings)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Register the uploaded object of the event; idempotent."""
    key = event["detail"]["object"]["key"]
    user_id, media_id = parse_upload_key(key)
    logger.append_keys(media_id=media_id)
    try:
        info = services().store.describe(key)
    except NotFound:
        return {"status": "gone"}  # registered by an earlier delivery of the event
    try:
        with services().database.transaction() as cursor:
            upload = uploads.pending(cursor, media_id, user_id)
    except NotFound:
        status = "unwanted"  # registered, refused or deleted meanwhile
    else:
        status = _register(upload, key, info)
    services().store.delete_version(key, info.version_id)
    metrics.add_metric(f"Uploads{status.capitalize()}", MetricUnit.Count, 1)
    return {"status": status}


def _register(upload: Upload, key: str, info: ObjectInfo) -> str:
    try:
        _check_size(upload, info.size_bytes)
        with scratch("register") as folder:
            path = folder / "upload"
            services().store.get_file(key, path)
            inspected = measure(upload, path)
            with services().database.transaction() as cursor:
                if not uploads.finish(cursor, upload.media_id, inspected):
                    return "unwanted"
                # The row is locked, so no concurrent delivery stores another file under the key.
                services().store.put_file(inspected.key, path, inspected.media_type)
    except (InvalidInput, MediaError) as error:
        with services().database.transaction() as cursor:
            uploads.refuse(cursor, upload.media_id, error.error_code, error.detail)
        logger.info("upload refused", extra={"code": error.error_code})
        return "refused"
    return "ready"


def _check_size(upload: Upload, size_bytes: int) -> None:
    if size_bytes > MOST_BYTES[upload.kind]:
        raise MediaError(
            f"The file has {size_bytes} bytes; the limit is {MOST_BYTES[upload.kind]}.",
            code="upload.size",
        )
    if size_bytes != upload.size_bytes:
        raise MediaError(
            f"The file has {size_bytes} bytes, but the upload was created for "
            f"{upload.size_bytes} bytes.",
            code="upload.size",
        )
