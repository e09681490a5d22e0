"""Who gets past the authorizer without a key, and what a form becomes."""

import base64
import json
from typing import Any

import pytest

from api.http.forms import _fields
from api.schemas.files import UploadVideo
from authorizer import handler as authorizer
from common.domain.errors import Malformed
from common.domain.signed_links import WITHOUT_A_KEY
from tests.support.answers import DOCUMENT, OPERATIONS
from tests.support.gateway import Context, Gateway

API = "arn:aws:execute-api:us-east-1:000000000000:api/live"


def policy(endpoint: str, headers: dict[str, str]) -> dict[str, Any]:
    method, _, path = endpoint.partition(" ")
    event = {"headers": headers, "methodArn": f"{API}/{method}{path}"}
    return authorizer.handler(event, Context())  # type: ignore[arg-type]  # what is read of it


@pytest.mark.parametrize("endpoint", sorted(WITHOUT_A_KEY))
def test_nobody_may_call_this_one_endpoint(endpoint: str) -> None:
    allowed = policy(endpoint, {})
    (statement,) = allowed["policyDocument"]["Statement"]
    assert statement["Resource"] == [f"{API}/{endpoint.replace(' ', '')}"]
    assert allowed["context"] == {}


@pytest.mark.parametrize(
    "endpoint",
    [
        "GET /v1/media",
        "POST /api/get_presigned_url",
        "GET /api/get_presigned_url/x",
        "POST /api/upload_image",
        "GET /api/convert_s3_image_to_base64",
        "DELETE /v1/media/links",
    ],
)
def test_nobody_may_call_any_other(endpoint: str) -> None:
    with pytest.raises(authorizer.UnauthorizedError):
        policy(endpoint, {})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer x"},
        {"authorization": "Basic eDp5"},
        {"X-API-Key": "x"},
        {"x-api-key": ""},
    ],
)
def test_whoever_sends_a_key_sends_a_good_one(headers: dict[str, str]) -> None:
    for endpoint in WITHOUT_A_KEY:
        with pytest.raises(authorizer.UnauthorizedError):
            policy(endpoint, headers)


def test_a_route_that_needs_a_key_does_not_trust_the_authorizer_alone(gateway: Gateway) -> None:
    gateway.key_id = ""
    assert gateway.call("GET", "/v1/media").status == 401
    assert gateway.call("GET", "/api/get_presigned_url").status == 404


def test_the_document_tells_of_forms() -> None:
    told = {
        one.path: content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        for one in OPERATIONS
        if "multipart/form-data"
        in (content := one.described.get("requestBody", {}).get("content", {}))
    }
    image = "UploadImageForm"
    assert told == {
        "/api/upload_image": image,
        "/api/public/upload-image": image,
        "/api/upload_video": "UploadVideoForm",
    }
    fields = DOCUMENT["components"]["schemas"]["UploadVideoForm"]["properties"]
    assert fields.keys() == {"file", *UploadVideo.model_fields} - {"video"}


def form(*parts: tuple[str, bytes]) -> bytes:
    body = b"".join(
        b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return body + b"--b--\r\n"


KIND = "multipart/form-data; boundary=b"
PICTURE = bytes(range(256)) * 3


def test_a_form_becomes_the_fields_of_the_json() -> None:
    raw = form(
        ('name="requestId"', b"one"),
        ('name="expiresIn"', b"60"),
        ('name="x"; filename="a"', PICTURE),
    )
    fields = _fields(KIND, raw, "image")
    assert fields == {"requestId": "one", "expiresIn": 60, "image": fields["image"]}
    assert base64.b64decode(fields["image"]) == PICTURE
    json.dumps(fields)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (KIND, b""),
        (KIND, b"no form at all"),
        ("multipart/form-data", form(('name="a"', b"1"))),
        (KIND, form(*[(f'name="f{n}"', b"1") for n in range(11)])),
        (KIND, form(("nothing", b"1"))),
    ],
)
def test_what_is_no_form_is_refused(kind: str, raw: bytes) -> None:
    with pytest.raises(Malformed):
        _fields(kind, raw, "image")


@pytest.mark.parametrize("path", ["/api/upload_image", "/api/public/upload-image"])
def test_a_form_is_read_as_the_gateway_sends_it(gateway: Gateway, path: str) -> None:
    """Bytes that are no text arrive whole: what is refused is the picture, not the form."""
    sent = base64.b64encode(form(('name="file"; filename="a.png"', PICTURE))).decode()
    reply = gateway.call("POST", path, headers={"Content-Type": KIND}, text=sent, base64=True)
    assert reply.status == 400, reply.text
    assert reply.json()["code"] == "image.invalid"
    unknown = form(('name="file"; filename="a.png"', PICTURE), ('name="s3Key"', b"inbox/x"))
    sent = base64.b64encode(unknown).decode()
    reply = gateway.call("POST", path, headers={"Content-Type": KIND}, text=sent, base64=True)
    assert [fault["pointer"] for fault in reply.json()["errors"]] == ["/s3Key"]


@pytest.mark.parametrize(
    "name", [b"\xff", b"\xed\xa0\x80", b"\x00", "\u00e9".encode(), b"a\tb", b"__proto__"]
)
def test_a_field_of_any_name_is_refused_by_it(gateway: Gateway, name: bytes) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n1\r\n'
    sent = base64.b64encode(field + form(('name="file"; filename="a.png"', PICTURE))).decode()
    reply = gateway.call(
        "POST", "/api/upload_image", headers={"Content-Type": KIND}, text=sent, base64=True
    )
    assert reply.status == 400, reply.text
    assert reply.json()["success"] is False
