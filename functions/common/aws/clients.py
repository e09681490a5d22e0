"""Clients of AWS services, made once in a warm environment.

botocore's own session rather than boto3: the same clients, without the resource layer that
boto3 loads (a fifth of the cold start of a function with S3; `make bench`).
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

# "standard" retries what AWS says may be retried; reads and idempotent writes only pass here.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=20,
    signature_version="v4",  # also of links: the older signature is refused in newer regions
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
    """Return the client of S3; the links it presigns name the bucket's regional host.

    By default botocore presigns links for the global host. That host answers 307, which breaks
    the signature, until DNS knows the bucket, and 400 in regions launched after March 2019:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, "Legacy endpoints".
    An endpoint that is an IP address, such as the emulator's, keeps the bucket in the path.
    """
    config = Config(s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
    return cast("S3Client", _session().create_client("s3", config=_CONFIG.merge(config)))


@cache
def bedrock() -> Any:
    """The client of Bedrock's runtime (there are no types for it). It makes every call once.

    Calls there are paid, and what came of one is for the caller to judge.
    """
    once = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=_BEDROCK_SECONDS,
    )
    return _session().create_client("bedrock-runtime", config=once)


def functions() -> "LambdaClient":
    """The client of Lambda."""
    return cast("LambdaClient", _client("lambda"))


def step_functions() -> "SFNClient":
    """The client of Step Functions."""
    return cast("SFNClient", _client("stepfunctions"))
