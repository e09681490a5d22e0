"""The state of Bedrock's asynchronous invocations, and the upload of their output to S3."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.stand_ins import bedrock_rules
from tests.stand_ins.bedrock_rules import CheckedRequest
from tests.stand_ins.faults import Fault


@dataclass(slots=True)
class Invocation:
    """An accepted invocation. Times are seconds since 1970."""

    checked: CheckedRequest
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
        """The mode of the fault of its request."""
        return self.fault.mode if self.fault else ""

    @property
    def uri(self) -> str:
        """The S3 URI of the output."""
        return f"{self.checked.s3_uri.rstrip('/')}/{self.arn.rpartition('/')[2]}/output.mp4"

    def view(self) -> dict[str, Any]:
        """Return the response of GetAsyncInvoke."""
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
    """Upload the clip to its S3 URI; return the error, or "" if there was none."""
    # Imported late: only a stand-in with an S3 endpoint needs the AWS SDK.
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
    """Return a time in the format of the service."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def seconds(text: str) -> float:
    """Return the time of a client's text, as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
