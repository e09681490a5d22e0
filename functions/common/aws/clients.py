"""Clients of AWS services, created once per Lambda environment.

They are created with botocore's session, not boto3. The clients are the same, but boto3's resource
layer takes a fifth of the cold start of a function with S3 (`make bench`).
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config

from common.aws.tracing import tracer

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

# "standard" retries the errors that AWS documents as retryable. All calls with this configuration
# are reads or idempotent writes.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=20,
    signature_version="v4",  # for presigned URLs too: newer regions reject the older version
)
_BEDROCK_SECONDS = 30.0


@cache
def _session() -> botocore.session.Session:
    tracer.patch(("botocore",))
    return botocore.session.get_session()


@cache
def _client(service: str) -> Any:
    return _session().create_client(service, config=_CONFIG)


@cache
def s3() -> "S3Client":
    """Return the client of S3, whose presigned URLs use the bucket's regional host.

    By default botocore presigns URLs for the global host. That host responds with 307, which breaks
    the signature, until the bucket is in DNS, and with 400 in regions launched after March 2019:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, "Legacy endpoints".
    For an endpoint that is an IP address, such as the emulator's, the bucket stays in the path.
    """
    config = Config(s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
    return cast("S3Client", _session().create_client("s3", config=_CONFIG.merge(config)))


@cache
def bedrock() -> Any:
    """Return the client of Bedrock's runtime, which has no type stubs. It does not retry.

    Its calls are paid, so only the caller can decide whether a retry is safe.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=_BEDROCK_SECONDS,
    )
    return _session().create_client("bedrock-runtime", config=config)


def functions() -> "LambdaClient":
    """Return the client of Lambda."""
    return cast("LambdaClient", _client("lambda"))


def step_functions() -> "SFNClient":
    """Return the client of Step Functions."""
    return cast("SFNClient", _client("stepfunctions"))
