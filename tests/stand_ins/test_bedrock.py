"""The Bedrock stand-in, called by boto3."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from common.media import ffmpeg
from tests.stand_ins import bedrock, pictures
from tests.stand_ins.process import StandIn
from tests.stand_ins.wire import Request, Server, WireResponse

S3_URI = "s3://media-bucket/user/clips"


def client_of(vendor: StandIn, **more: Any) -> Any:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=vendor.url,
        region_name="us-west-2",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, **more),
    )


def frame(form: str = "png") -> dict[str, Any]:
    data = base64.b64encode(pictures.draw((1280, 720), "scene", form=form)).decode()
    source = {"type": "base64", "media_type": f"image/{form}", "data": data}
    return {"type": "image", "source": source}


def invocation_request(token: str = "", **more: Any) -> dict[str, Any]:
    body = {
        "modelId": "luma.ray-v2:0",
        "modelInput": {
            "prompt": "Slow push-in",
            "aspect_ratio": "16:9",
            "duration": "5s",
            "resolution": "720p",
            "keyframes": {"frame0": frame()},
            **more,
        },
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": S3_URI}},
    }
    return body | ({"clientRequestToken": token} if token else {})


@pytest.fixture(scope="module")
def bedrock_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with bedrock.serve(tmp_path_factory.mktemp("book"), running_seconds=10) as bedrock_stand_in:
        yield bedrock_stand_in


@pytest.fixture
def vendor(bedrock_stand_in: StandIn) -> Iterator[StandIn]:
    yield bedrock_stand_in
    bedrock_stand_in.clear()


@pytest.fixture(scope="module")
def client(bedrock_stand_in: StandIn) -> Any:
    return client_of(bedrock_stand_in)


def client_error(client: Any, **call: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        client.start_async_invoke(**call)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_bedrock_invocation_writes_clip_and_is_charged(
    vendor: StandIn, client: Any, tmp_path: Path
) -> None:
    arn = client.start_async_invoke(**invocation_request("att_1"))["invocationArn"]
    invocation = client.get_async_invoke(invocationArn=arn)
    assert (invocation["status"], invocation["clientRequestToken"]) == ("InProgress", "att_1")
    assert "endTime" not in invocation
    vendor.advance(10)
    invocation = client.get_async_invoke(invocationArn=arn)
    assert invocation["status"] == "Completed"
    assert invocation["endTime"] > invocation["submitTime"]
    clip = tmp_path / "output.mp4"
    clip.write_bytes(bedrock.outputs(vendor)[f"{S3_URI}/{arn.rpartition('/')[2]}/output.mp4"])
    facts = ffmpeg.inspect(clip)
    assert (facts.codec, facts.width, facts.height, facts.frames) == ("h264", 1280, 720, 120)
    charge = vendor.charges()[-1]
    assert (charge.marker, charge.prompt, charge.job) == ("att_1", "Slow push-in", arn)
    assert (str(charge.amount), charge.unit) == ("7.50", "usd")


def test_bedrock_invocation_is_idempotent_by_token(vendor: StandIn, client: Any) -> None:
    before = len(vendor.charges())
    arns = {
        client.start_async_invoke(**invocation_request("att_2"))["invocationArn"] for _ in range(3)
    }
    assert len(arns) == 1
    assert len(vendor.charges()) == before + 1
    assert client_error(client, **invocation_request("att_2", prompt="Other")) == (
        "ConflictException",
        400,
    )
    client.start_async_invoke(**invocation_request())
    client.start_async_invoke(**invocation_request())
    assert len(vendor.charges()) == before + 3


def test_bedrock_token_returns_invocation_after_lost_response(vendor: StandIn, client: Any) -> None:
    before = len(vendor.charges())
    vendor.fault("async_invoke.start", "charge_then_reset")
    with pytest.raises(ConnectionClosedError):
        client.start_async_invoke(**invocation_request("att_3"))
    vendor.fault("async_invoke.start", "charge_then_hang")
    with pytest.raises(ReadTimeoutError):
        client_of(vendor, read_timeout=0.3).start_async_invoke(**invocation_request("att_3"))
    arn = client.start_async_invoke(**invocation_request("att_3"))["invocationArn"]
    assert [charge.job for charge in vendor.charges()[before:]] == [arn]


@pytest.mark.parametrize(
    ("mode", "code", "status"),
    [
        ("throttled", "ThrottlingException", 429),
        ("quota", "ServiceQuotaExceededException", 400),
        ("access_denied", "AccessDeniedException", 403),
        ("500", "InternalServerException", 500),
        ("503", "ServiceUnavailableException", 503),
        ("429", "ThrottlingException", 429),
    ],
)
def test_bedrock_errors_match_service(
    vendor: StandIn, client: Any, mode: str, code: str, status: int
) -> None:
    before = len(vendor.charges())
    vendor.fault("async_invoke.start", mode)
    assert client_error(client, **invocation_request()) == (code, status)
    assert len(vendor.charges()) == before


@pytest.mark.parametrize(
    "more",
    [
        {"prompt": ""},
        {"prompt": "x" * 5001},
        {"duration": "7s"},
        {"aspect_ratio": "1280:720"},
        {"resolution": "1080p"},
        {"bogus": 1},
        {"keyframes": {"frame2": {}}},
        {"keyframes": {"frame0": {"type": "image", "source": {"type": "url"}}}},
        {"keyframes": {"frame0": frame("webp")}},
    ],
)
def test_bedrock_validates_input(client: Any, more: dict[str, Any]) -> None:
    assert client_error(client, **invocation_request(**more)) == ("ValidationException", 400)


def test_bedrock_rejects_unknown_model_bucket_and_invocation(client: Any) -> None:
    assert (
        client_error(client, **{**invocation_request(), "modelId": "luma.ray-v1:0"})[0]
        == "ValidationException"
    )
    output_config = {"s3OutputDataConfig": {"s3Uri": "s3://No_Bucket/x"}}
    assert (
        client_error(client, **{**invocation_request(), "outputDataConfig": output_config})[0]
        == "ValidationException"
    )
    arn = "arn:aws:bedrock:us-west-2:123456789012:async-invoke/abcdefabcdef"
    with pytest.raises(client.exceptions.ValidationException):
        client.get_async_invoke(invocationArn=arn)


def test_bedrock_failed_stuck_and_lost_invocations(vendor: StandIn, client: Any) -> None:
    arns = {}
    for mode in ("failed", "stuck", "no_output", "lost"):
        vendor.fault("async_invoke.start", mode)
        arns[mode] = client.start_async_invoke(**invocation_request())["invocationArn"]
    vendor.advance(3600)
    details = {mode: client.get_async_invoke(invocationArn=arn) for mode, arn in arns.items()}
    states = {mode: detail["status"] for mode, detail in details.items()}
    assert states == {
        "failed": "Failed",
        "stuck": "InProgress",
        "no_output": "Completed",
        "lost": "InProgress",
    }
    assert details["failed"]["failureMessage"]
    uploaded = [
        mode for mode, arn in arns.items() if arn[-12:] in str(bedrock.outputs(vendor).keys())
    ]
    assert uploaded == ["lost"]
    assert [b.job for b in vendor.bookings() if b.kind == "refund"] == [arns["failed"]]


def test_bedrock_list_filter_and_pagination(vendor: StandIn, client: Any) -> None:
    start = client.start_async_invoke(**invocation_request())["invocationArn"]
    vendor.advance(60)
    later = client.start_async_invoke(**invocation_request())["invocationArn"]
    page = client.list_async_invokes(maxResults=2)
    arns = [row["invocationArn"] for row in page["asyncInvokeSummaries"]]
    assert arns == [later, start]
    more = client.list_async_invokes(maxResults=2, nextToken=page["nextToken"])
    assert later not in [row["invocationArn"] for row in more["asyncInvokeSummaries"]]
    moment = page["asyncInvokeSummaries"][1]["submitTime"]
    after = client.list_async_invokes(submitTimeAfter=moment, statusEquals="InProgress")
    assert [row["invocationArn"] for row in after["asyncInvokeSummaries"]] == [later]


def test_bedrock_output_is_put_to_s3(tmp_path: Path) -> None:
    put: dict[str, int] = {}

    def store(request: Request) -> WireResponse:
        put[request.path] = len(request.body)
        return WireResponse(200 if "missing" not in request.path else 404)

    s3 = Server(store)
    try:
        with bedrock.serve(tmp_path, s3_endpoint=s3.url, running_seconds=0) as vendor:
            client = client_of(vendor)
            arn = client.start_async_invoke(**invocation_request())["invocationArn"]
            assert client.get_async_invoke(invocationArn=arn)["status"] == "Completed"
            assert list(put) == [f"/media-bucket/user/clips/{arn[-12:]}/output.mp4"]
            output_config = {"s3OutputDataConfig": {"s3Uri": "s3://missing"}}
            arn = client.start_async_invoke(
                **{**invocation_request(), "outputDataConfig": output_config}
            )["invocationArn"]
            assert client.get_async_invoke(invocationArn=arn)["status"] == "Failed"
    finally:
        s3.close()
