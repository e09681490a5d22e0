"""Bedrock's asynchronous invocations: their state, and their output's way to S3."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.stand_ins import bedrock_rules
from tests.stand_ins.bedrock_rules import Wish
from tests.stand_ins.faults import Fault


@dataclass(slots=True)
class Invocation:
    """One accepted invocation. Times are seconds since 1970."""

    wish: Wish
    token: str
    print: str
    arn: str
    region: str
    body: dict[str, Any]
    submitted: float
    ends: float
    fault: Fault | None
    status: str = "InProgress"
    failure: str = ""
    delivered: bool = False

    @property
    def mode(self) -> str:
        """The fault that it was born with."""
        return self.fault.mode if self.fault else ""

    @property
    def uri(self) -> str:
        """Where the file goes."""
        return f"{self.wish.s3_uri.rstrip('/')}/{self.arn.rpartition('/')[2]}/output.mp4"

    def view(self) -> dict[str, Any]:
        """Return what GetAsyncInvoke answers."""
        ended = self.status != "InProgress"
        last = self.ends if ended else self.submitted
        view = {
            "invocationArn": self.arn,
            "modelArn": f"arn:aws:bedrock:{self.region}::foundation-model/{bedrock_rules.MODEL}",
            "clientRequestToken": self.token,
            "status": self.status,
            "submitTime": iso(self.submitted),
            "lastModifiedTime": iso(last),
            "outputDataConfig": self.body["outputDataConfig"],
        }
        if ended:
            view["endTime"] = iso(self.ends)
        if self.failure:
            view["failureMessage"] = self.failure
        return view


def put_in_s3(endpoint: str, uri: str, data: bytes) -> str:
    """Put the clip at its S3 address; return what went wrong, or nothing."""
    # Only the stand-in that is given an S3 pays for loading the AWS SDK.
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    store = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIASTANDIN",
        aws_secret_access_key="stand-in",
        config=Config(s3={"addressing_style": "path"}),
    )
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        store.put_object(Bucket=bucket, Key=key, Body=data, ContentType="video/mp4")
    except (BotoCoreError, ClientError) as problem:
        return f"The output could not be written: {problem}"
    return ""


def iso(moment: float) -> str:
    """Return a moment as the service writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def seconds(text: str) -> float:
    """Return a moment that a client wrote, as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
