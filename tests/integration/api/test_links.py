"""Operations without an API key, and multipart forms."""

import base64
import json
from typing import Any

import pytest

from api.http.forms import _fields
from api.schemas.files import UploadVideo
from authorizer import handler as authorizer
from common.domain.errors import Malformed
from common.domain.signed_links import SIGNED_LINK_ENDPOINTS
from tests.support.answers import DOCUMENT, OPERATIONS
from tests.support.gateway import Context, Gateway

API = "arn:aws:execute-api:us-east-1:000000000000:api/live"


def policy(endpoint: str, headers: dict[str, str]) -> dict[str, Any]:
    method, _, path = endpoint.partition(" ")
    event = {"headers": headers, "methodArn": f"{API}/{method}{path}"}
    return authorizer.handler(event, Context())  # type: ignore[arg-type]  # a minimal event and context


@pytest.mark.parametrize("endpoint", sorted(SIGNED_LINK_ENDPOINTS))
def test_authorizer_allows_a_public_operation_without_a_key(endpoint: str) -> None:
    result = policy(endpoint, {})
    (statement,) = result["policyDocument"]["Statement"]
    assert statement["Resource"] == [f"{API}/{endpoint.replace(' ', '')}"]
    assert result["context"] == {}


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
def test_authorizer_rejects_other_operations_without_a_key(endpoint: str) -> None:
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
def test_invalid_key_is_rejected_even_for_a_public_operation(headers: dict[str, str]) -> None:
    for endpoint in SIGNED_LINK_ENDPOINTS:
        with pytest.raises(authorizer.UnauthorizedError):
            policy(endpoint, headers)


def test_route_rejects_a_request_without_a_key_itself(gateway: Gateway) -> None:
    gateway.key_id = ""
    assert gateway.call("GET", "/v1/media").status == 401
    assert gateway.call("GET", "/api/get_presigned_url").status == 404


def test_openapi_document_describes_forms() -> None:
    form_schemas = {
        operation.path: content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        for operation in OPERATIONS
        if "multipart/form-data"
        in (content := operation.described.get("requestBody", {}).get("content", {}))
    }
    image = "UploadImageForm"
    assert form_schemas == {
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


CONTENT_TYPE = "multipart/form-data; boundary=b"
IMAGE_BYTES = bytes(range(256)) * 3


def test_form_is_parsed_into_the_json_fields() -> None:
    raw = form(
        ('name="requestId"', b"one"),
        ('name="expiresIn"', b"60"),
        ('name="x"; filename="a"', IMAGE_BYTES),
    )
    fields = _fields(CONTENT_TYPE, raw, "image")
    assert fields == {"requestId": "one", "expiresIn": 60, "image": fields["image"]}
    assert base64.b64decode(fields["image"]) == IMAGE_BYTES
    json.dumps(fields)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (CONTENT_TYPE, b""),
        (CONTENT_TYPE, b"no form at all"),
        ("multipart/form-data", form(('name="a"', b"1"))),
        (CONTENT_TYPE, form(*[(f'name="f{n}"', b"1") for n in range(11)])),
        (CONTENT_TYPE, form(("nothing", b"1"))),
    ],
)
def test_invalid_form_is_rejected(kind: str, raw: bytes) -> None:
    with pytest.raises(Malformed):
        _fields(kind, raw, "image")


@pytest.mark.parametrize("path", ["/api/upload_image", "/api/public/upload-image"])
def test_form_is_decoded_from_the_gateways_base64(gateway: Gateway, path: str) -> None:
    """Binary data arrives unchanged: the image is rejected, not the form."""
    encoded_body = base64.b64encode(form(('name="file"; filename="a.png"', IMAGE_BYTES))).decode()
    reply = gateway.call(
        "POST", path, headers={"Content-Type": CONTENT_TYPE}, text=encoded_body, base64=True
    )
    assert reply.status == 400, reply.text
    assert reply.json()["code"] == "image.invalid"
    unknown = form(('name="file"; filename="a.png"', IMAGE_BYTES), ('name="s3Key"', b"inbox/x"))
    encoded_body = base64.b64encode(unknown).decode()
    reply = gateway.call(
        "POST", path, headers={"Content-Type": CONTENT_TYPE}, text=encoded_body, base64=True
    )
    assert [fault["pointer"] for fault in reply.json()["errors"]] == ["/s3Key"]


@pytest.mark.parametrize(
    "name", [b"\xff", b"\xed\xa0\x80", b"\x00", "\u00e9".encode(), b"a\tb", b"__proto__"]
)
def test_unknown_form_field_is_rejected(gateway: Gateway, name: bytes) -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n1\r\n'
    encoded_body = base64.b64encode(
        field + form(('name="file"; filename="a.png"', IMAGE_BYTES))
    ).decode()
    reply = gateway.call(
        "POST",
        "/api/upload_image",
        headers={"Content-Type": CONTENT_TYPE},
        text=encoded_body,
        base64=True,
    )
    assert reply.status == 400, reply.text
    assert reply.json()["success"] is False
