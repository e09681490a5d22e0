"""The legacy file endpoints on the deployed stack."""

import base64
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.domain import ids
from tests.e2e.client import TIMEOUT, Client, StackAccess
from tests.e2e.test_refusals import assert_problem
from tests.e2e.test_uploads import jpeg, wait_until_processed
from tests.media.coded import FFMPEG

PRESIGNED, CONVERT = "/api/get_presigned_url", "/api/convert_s3_image_to_base64"


@pytest.fixture(scope="module")
def owner(as_user: Callable[[str], Client]) -> Client:
    """A client of the user who owns the files."""
    return as_user("keeper")


@pytest.fixture(scope="module")
def other_user(as_user: Callable[[str], Client]) -> Client:
    """A client of another user."""
    return as_user("looker")


@pytest.fixture(scope="module")
def anonymous(owner: Client) -> Client:
    """A client without a key."""
    return Client(owner.base_url, None)


@pytest.fixture(scope="module")
def video_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("movie") / "m.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=1", "-pix_fmt", "yuv420p"]
    subprocess.run([FFMPEG, "-v", "error", *source, str(path)], check=True)
    return Path(path).read_bytes()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def assert_success(response: requests.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["success"] is True
    return body


@pytest.fixture(scope="module")
def image_upload(owner: Client) -> dict[str, Any]:
    """An image that the owner uploaded."""
    payload = {"image": encoded(jpeg()), "requestId": "req-abc123", "expiresIn": 600}
    return assert_success(owner.call("POST", "/api/upload_image", payload))


def token(url: str) -> str:
    return url.partition("?t=")[2]


def test_legacy_image_upload_returns_legacy_fields(
    image_upload: dict[str, Any], owner: Client
) -> None:
    assert image_upload["userId"] == "keeper"
    assert image_upload["requestId"] == "req-abc123"
    assert image_upload["expiresIn"] == 600
    assert (
        image_upload["s3Key"] == f"keeper/{image_upload['id']}/user-uploads/reference_image_1.png"
    )
    for url in (image_upload["imageUrl"], image_upload["proxyUrl"]):
        data = requests.get(url, timeout=TIMEOUT).content
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.format) == ((320, 200), "PNG")
        assert b"MARKER" not in data
    listed = owner.call("GET", "/v1/media?q=req-abc123").json()["data"]
    assert [item["id"] for item in listed] == [image_upload["id"]]


@pytest.mark.parametrize("path", ["/api/upload_image", "/api/public/upload-image"])
def test_legacy_image_upload_accepts_form(owner: Client, path: str) -> None:
    fields = {"requestId": "form-1", "expiresIn": "60"}
    files = {"file": ("holiday.jpg", jpeg(), "image/jpeg")}
    body = assert_success(owner.call("POST", path, data=fields, files=files))
    assert (body["requestId"], body["expiresIn"]) == ("form-1", 60)
    assert requests.get(body["imageUrl"], timeout=TIMEOUT).headers["Content-Type"] == "image/png"


def test_legacy_upload_uses_request_id_header(owner: Client) -> None:
    header = {"X-Request-ID": "by-header"}
    for fields in ({}, {"requestId": "by-header"}):
        payload = {"image": encoded(jpeg()), **fields}
        body = assert_success(owner.call("POST", "/api/upload_image", payload, headers=header))
        assert body["requestId"] == "by-header"
    both = {"image": encoded(jpeg()), "requestId": "other"}
    body = assert_success(owner.call("POST", "/api/upload_image", both, headers=header))
    assert body["requestId"] == "by-header"


def test_legacy_small_video_upload_is_one_request(owner: Client, video_bytes: bytes) -> None:
    response = owner.call("POST", "/api/upload_video", {"video": encoded(video_bytes)})
    if response.status_code == 202:  # not yet probed within the wait
        assert wait_until_processed(owner, response.json()["id"])["status"] == "ready"
        return
    body = assert_success(response)
    assert body["s3Key"] == f"keeper/{body['id']}/user-uploads/video_1.mp4"
    assert requests.get(body["videoUrl"], timeout=TIMEOUT).content == video_bytes
    assert requests.get(body["proxyUrl"], timeout=TIMEOUT).content == video_bytes


def test_legacy_large_video_upload_uses_multipart(owner: Client, video_bytes: bytes) -> None:
    body = assert_success(
        owner.call("POST", "/api/upload_video", {"fileSize": len(video_bytes)}), 202
    )
    (url,) = body["uploadUrls"]
    etag = requests.put(url, data=video_bytes, timeout=TIMEOUT).headers["ETag"]
    assert owner.call("POST", body["completeUrl"], {"etags": [etag]}).status_code == 202
    assert wait_until_processed(owner, body["id"])["status"] == "ready"


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        ("upload_image", {}, 400, "/image"),
        ("upload_image", {"image": "not base64!"}, 400, "/image"),
        ("upload_image", {"image": encoded(b"hello")}, 400, "/image"),
        ("upload_image", {"image": "A" * 5_880_000}, 413, "/image"),
        ("upload_image", {"image": "AAAA", "requestId": "../x"}, 400, "/requestId"),
        ("upload_image", {"image": "AAAA", "s3Key": "inbox/x"}, 400, "/s3Key"),
        ("public/upload-image", {"image": "AAAA", "expiresIn": 86_401}, 400, "/expiresIn"),
        ("upload_video", {}, 400, ""),
        ("upload_video", {"video": "AAAA", "fileSize": 3}, 400, ""),
        ("upload_video", {"video": "not base64!"}, 400, "/video"),
        ("upload_video", {"fileSize": 1_073_741_825}, 400, "/fileSize"),
    ],
)
def test_legacy_upload_error_names_field(
    owner: Client, path: str, body: dict[str, Any], status: int, pointer: str
) -> None:
    problem = assert_problem(owner.call("POST", f"/api/{path}", body), status)
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_legacy_invalid_video_upload_is_rejected(owner: Client) -> None:
    response = owner.call("POST", "/api/upload_video", {"video": encoded(b"hello" * 9)})
    if response.status_code == 202:
        assert wait_until_processed(owner, response.json()["id"])["status"] == "refused"
    else:
        assert_problem(response, 400, "upload.type")


def test_legacy_upload_for_other_user_requires_act_as_scope(
    owner: Client, operator: Client
) -> None:
    payload = {"image": encoded(jpeg()), "userId": "ward"}
    assert_problem(owner.call("POST", "/api/upload_image", payload), 403)
    body = assert_success(operator.call("POST", "/api/upload_image", payload))
    assert body["s3Key"].startswith("ward/")


def test_presigned_url_endpoint_returns_links_by_id_or_key(
    owner: Client, image_upload: dict[str, Any]
) -> None:
    for query in (f"id={image_upload['id']}", f"key={image_upload['s3Key']}"):
        body = assert_success(owner.call("GET", f"{PRESIGNED}?{query}&expiresIn=120"))
        assert (body["s3Key"], body["expiresIn"]) == (image_upload["s3Key"], 120)
        assert body["requestId"] == "req-abc123"
        for url in (body["url"], body["proxyUrl"]):
            assert requests.get(url, timeout=TIMEOUT).status_code == 200
    for query in ("", f"?id={image_upload['id']}&key={image_upload['s3Key']}"):
        assert_problem(owner.call("GET", PRESIGNED + query), 400)
    for query in (
        "?id=med_1",
        f"?id={image_upload['id']}&expiresIn=0",
        f"?id={image_upload['id']}&expiresIn=86401",
    ):
        assert_problem(owner.call("GET", PRESIGNED + query), 400)


def test_presigned_url_endpoint_hides_media_of_other_users(
    other_user: Client, anonymous: Client, image_upload: dict[str, Any], stack: StackAccess
) -> None:
    for key in stack.objects("keeper/"):
        for client in (other_user, anonymous):
            assert_problem(client.call("GET", f"{PRESIGNED}?key={key}"), 404, "not_found")
            assert_problem(client.call("POST", CONVERT, {"s3Key": key}), 404, "not_found")
    for client in (other_user, anonymous):
        assert_problem(client.call("GET", f"{PRESIGNED}?id={image_upload['id']}"), 404)
        assert_problem(client.call("GET", f"{PRESIGNED}?id={ids.new('med')}"), 404)


def test_signed_link_token_works_without_api_key(
    anonymous: Client, owner: Client, image_upload: dict[str, Any]
) -> None:
    valid_token = token(image_upload["proxyUrl"])
    body = assert_success(anonymous.call("GET", f"{PRESIGNED}?t={valid_token}&expiresIn=86400"))
    assert body["expiresIn"] <= 600  # limited to the remaining lifetime
    assert requests.get(body["url"], timeout=TIMEOUT).status_code == 200
    for converted in (
        anonymous.call("POST", f"{CONVERT}?t={valid_token}", {}),
        anonymous.call("POST", f"{CONVERT}?t={valid_token}"),
        anonymous.call("POST", CONVERT, {"imageUrl": image_upload["proxyUrl"]}),
        owner.call("POST", CONVERT, {"imageUrl": image_upload["imageUrl"]}),
        owner.call("POST", CONVERT, {"imageUrl": image_upload["proxyUrl"]}),
    ):
        body = assert_success(converted)
        data = base64.b64decode(body["base64"])
        assert body["image"] == f"data:image/png;base64,{body['base64']}"
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (320, 200)


def test_invalid_signed_link_token_returns_not_found(
    anonymous: Client, image_upload: dict[str, Any], other_user: Client
) -> None:
    valid_token = token(image_upload["proxyUrl"])
    altered_token = ("B" if valid_token[30] == "A" else "A").join(
        (valid_token[:30], valid_token[31:])
    )
    for wrong in ("", "x", altered_token, valid_token + "=", valid_token[:-1]):
        assert_problem(anonymous.call("GET", f"{PRESIGNED}?t={wrong}"), 404, "not_found")
        assert_problem(anonymous.call("POST", f"{CONVERT}?t={wrong}", {}), 404, "not_found")
    assert_problem(anonymous.call("GET", PRESIGNED), 404)
    assert_problem(anonymous.call("POST", CONVERT, {}), 404)
    assert_problem(anonymous.call("POST", CONVERT), 404)
    other = f"?t={valid_token}&key=keeper/x/user-uploads/y.png"
    assert_problem(anonymous.call("GET", PRESIGNED + other), 404)
    for url in ("https://a.example/x.png", "https://169.254.169.254/api/proxy_s3_image/a/b/c/d"):
        assert_problem(anonymous.call("POST", CONVERT, {"imageUrl": url}), 404)


def test_invalid_api_key_is_rejected_on_keyless_routes(
    anonymous: Client, image_upload: dict[str, Any]
) -> None:
    wrong = Client(anonymous.base_url, "vg_live_" + "A" * 42)
    assert_problem(wrong.call("GET", f"{PRESIGNED}?t={token(image_upload['proxyUrl'])}"), 401)
    assert_problem(anonymous.call("POST", "/api/upload_image", {"image": "AAAA"}), 401)


def test_convert_rejects_video(owner: Client) -> None:
    videos = [
        item
        for item in owner.call("GET", "/v1/media").json()["data"]
        if item["media_type"] == "video/mp4" and item["status"] == "ready"
    ]
    for item in videos[:1]:
        problem = owner.call("POST", CONVERT, {"id": item["id"]})
        assert_problem(problem, 400, "media.not_a_picture")


def test_revoked_links_are_rejected_by_legacy_endpoints(
    as_user: Callable[[str], Client], anonymous: Client
) -> None:
    client = as_user("ender")
    body = assert_success(client.call("POST", "/api/upload_image", {"image": encoded(jpeg())}))
    valid_token = token(body["proxyUrl"])
    assert anonymous.call("GET", f"{PRESIGNED}?t={valid_token}").status_code == 200
    assert client.call("DELETE", "/v1/media/links").status_code == 204
    assert_problem(anonymous.call("GET", f"{PRESIGNED}?t={valid_token}"), 404)
    assert_problem(anonymous.call("POST", CONVERT, {"imageUrl": body["proxyUrl"]}), 404)
