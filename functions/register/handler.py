"""What happens after an upload: an object under `_uploads/` becomes a media object, or is refused.

EventBridge tells of each object, at least once and in any order. What is stored is the very file
that was looked at, under a key of the owner's folder; the raw object is removed in any case.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import Database, uploads
from common.database.uploads import Upload
from common.domain.errors import InvalidInput, MediaError, NotFound
from common.domain.uploads import MOST_BYTES
from common.media.scratch import scratch
from common.settings import AssemblySettings, load
from common.storage import ObjectInfo, parse_upload_key
from common.storage.s3 import S3MediaStore
from register.inspection import measure


@cache
def settings() -> AssemblySettings:
    """The function's settings, checked once."""
    return load(AssemblySettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Register the object that the event tells of; repeating it changes nothing."""
    key = event["detail"]["object"]["key"]
    user_id, media_id = parse_upload_key(key)
    logger.append_keys(media_id=media_id)
    try:
        raw = store().describe(key)
    except NotFound:
        return {"status": "gone"}  # registered already, by an earlier delivery of the event
    try:
        with database().transaction() as cursor:
            upload = uploads.pending(cursor, media_id, user_id)
    except NotFound:
        status = "unwanted"  # settled or deleted meanwhile
    else:
        status = _settle(upload, key, raw)
    store().delete_version(key, raw.version_id)
    metrics.add_metric(f"Uploads{status.capitalize()}", MetricUnit.Count, 1)
    return {"status": status}


def _settle(upload: Upload, key: str, raw: ObjectInfo) -> str:
    try:
        _check_size(upload, raw.size_bytes)
        with scratch("register") as folder:
            path = folder / "upload"
            store().get_file(key, path)
            found = measure(upload, path)
            with database().transaction() as cursor:
                if not uploads.finish(cursor, upload.media_id, found):
                    return "unwanted"
                # While the row is locked: no other delivery stores something else under the key.
                store().put_file(found.key, path, found.media_type)
    except (InvalidInput, MediaError) as error:
        with database().transaction() as cursor:
            uploads.refuse(cursor, upload.media_id, error.error_code, error.detail)
        logger.info("upload refused", extra={"code": error.error_code})
        return "refused"
    return "ready"


def _check_size(upload: Upload, size_bytes: int) -> None:
    if size_bytes > MOST_BYTES[upload.kind]:
        raise MediaError("The file is larger than is taken.", code="upload.size")
    if size_bytes != upload.size_bytes:
        raise MediaError(
            f"The file was announced with {upload.size_bytes} bytes and has {size_bytes}.",
            code="upload.size",
        )
