"""Uploads on the deployed stack: forms, multipart, processing and rejection."""

import hashlib
import io
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.domain import ids
from tests.e2e.client import TIMEOUT, Client, StackAccess
from tests.e2e.test_refusals import assert_problem
from tests.media.coded import FFMPEG


@pytest.fixture(scope="module")
def sender(as_user: Callable[[str], Client]) -> Client:
    """A client of a user who uploads."""
    return as_user("sender")


@pytest.fixture(scope="module")
def other_user(as_user: Callable[[str], Client]) -> Client:
    """A client of another user."""
    return as_user("passer-by")


def jpeg() -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "MARKER-IN-EXIF"
    Image.new("RGB", (320, 200), (200, 40, 40)).save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def video_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("movie") / "m.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=2", "-pix_fmt", "yuv420p"]
    subprocess.run([FFMPEG, "-v", "error", *source, str(path)], check=True)
    return Path(path).read_bytes()


def create_upload(client: Client, media_type: str, size: int, **more: Any) -> dict[str, Any]:
    request = {"media_type": media_type, "size_bytes": size, **more}
    response = client.call("POST", "/v1/uploads", request)
    assert response.status_code == 201, response.text
    upload: dict[str, Any] = response.json()
    assert response.headers["Location"] == client.base_url + upload["links"]["self"]
    return upload


def post_form(form: dict[str, Any], data: bytes, **changes: str) -> requests.Response:
    fields = {**form["fields"], **changes}
    return requests.post(form["url"], data=fields, files={"file": data}, timeout=TIMEOUT)


def wait_until_processed(client: Client, media_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        item: dict[str, Any] = client.call("GET", f"/v1/media/{media_id}").json()
        if item["status"] != "pending":
            return item
        time.sleep(0.2)
    raise AssertionError(f"still pending: {item}")


def pending_objects(stack: StackAccess, media_id: str) -> list[str]:
    deadline = time.monotonic() + 20
    while (found := stack.objects(f"_uploads/sender/{media_id}")) and (time.monotonic() < deadline):
        time.sleep(0.2)
    return found


def test_image_upload_is_stored_without_metadata(
    sender: Client, other_user: Client, stack: StackAccess
) -> None:
    upload = create_upload(sender, "image/jpeg", len(jpeg()), name="My holiday")
    assert sender.call("GET", upload["links"]["self"]).json()["status"] == "pending"
    assert post_form(upload["form"], jpeg()).status_code == 204
    item = wait_until_processed(sender, upload["id"])
    assert (item["status"], item["media_type"]) == ("ready", "image/png")
    assert (item["width"], item["height"], item["name"]) == (320, 200, "My holiday")
    stored = requests.get(item["url"], timeout=TIMEOUT).content
    assert hashlib.sha256(stored).hexdigest() == item["sha256"]
    assert b"MARKER" not in stored
    assert pending_objects(stack, upload["id"]) == []
    listed = sender.call("GET", "/v1/media?kind=upload&q=holiday").json()["data"]
    assert [item["id"] for item in listed] == [upload["id"]]
    for method in ("GET", "DELETE"):
        assert_problem(other_user.call(method, f"/v1/media/{upload['id']}"), 404)
    assert sender.call("DELETE", f"/v1/media/{upload['id']}").status_code == 204
    assert stack.objects(item["s3_key"]) == []


@pytest.mark.deployed
def test_multipart_video_upload_is_probed(sender: Client, video_bytes: bytes) -> None:
    upload = create_upload(sender, "video/mp4", len(video_bytes), in_parts=True)
    (url,) = upload["parts"]["urls"]
    etag = requests.put(url, data=video_bytes, timeout=TIMEOUT).headers["ETag"]
    complete = upload["links"]["complete"]
    for wrong in (["0" * 32], [etag, etag]):
        assert_problem(sender.call("POST", complete, {"etags": wrong}), 422, "upload.parts")
    assert_problem(sender.call("POST", complete, {"etags": []}), 422, "request.invalid")
    response = sender.call("POST", complete, {"etags": [etag]})
    assert response.status_code == 202, response.text
    item = wait_until_processed(sender, upload["id"])
    assert item["status"] == "ready", item
    assert (item["width"], item["height"]) == (320, 180)
    assert item["seconds"] == pytest.approx(2, abs=0.1)
    assert item["sha256"] == hashlib.sha256(video_bytes).hexdigest()
    assert_problem(sender.call("POST", complete, {"etags": [etag]}), 409, "upload.settled")
    assert_problem(sender.call("POST", upload["links"]["abort"]), 409, "upload.settled")


@pytest.mark.parametrize("data", [b"hello, not a picture", b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_invalid_upload_is_rejected_and_deleted(
    sender: Client, stack: StackAccess, data: bytes
) -> None:
    upload = create_upload(sender, "image/png", len(data))
    assert post_form(upload["form"], data).status_code == 204
    item = wait_until_processed(sender, upload["id"])
    assert item["status"] == "refused"
    assert item["error"]["code"] in {"upload.type", "image.invalid"}
    assert item["url"] is None
    assert pending_objects(stack, upload["id"]) == []
    assert stack.objects(f"sender/{upload['id']}") == []


def test_upload_form_accepts_only_declared_object(sender: Client, stack: StackAccess) -> None:
    data = jpeg()
    form = create_upload(sender, "image/jpeg", len(data))["form"]
    assert post_form(form, data + b"x").status_code in (400, 403)
    assert post_form(form, data[:-1]).status_code in (400, 403)
    assert post_form(form, data, **{"Content-Type": "text/html"}).status_code == 403
    other = form["fields"]["key"].replace("_uploads/sender/", "_uploads/alice/")
    for key in (other, f"sender/{ids.new('vid')}/video-clips/final_video_1.mp4", "inbox/sender/x"):
        assert post_form(form, data, key=key).status_code == 403
        assert stack.objects(key) == []


@pytest.mark.deployed
def test_multipart_upload_can_be_aborted(sender: Client, other_user: Client) -> None:
    upload = create_upload(sender, "audio/mpeg", 100, in_parts=True)
    assert_problem(other_user.call("POST", upload["links"]["abort"]), 404)
    assert_problem(other_user.call("POST", upload["links"]["complete"], {"etags": ["a"]}), 404)
    assert sender.call("POST", upload["links"]["abort"]).status_code == 204
    assert_problem(sender.call("GET", upload["links"]["self"]), 404)
    assert_problem(sender.call("POST", upload["links"]["abort"]), 404)
    late = requests.put(upload["parts"]["urls"][0], data=b"x" * 100, timeout=TIMEOUT)
    assert late.status_code in (403, 404)


@pytest.mark.deployed
def test_form_upload_cannot_be_completed_as_multipart(sender: Client) -> None:
    upload = create_upload(sender, "image/png", 100)
    path = f"/v1/uploads/{upload['id']}/complete"
    assert_problem(sender.call("POST", path, {"etags": ["a"]}), 409, "upload.no_parts")


@pytest.mark.deployed
def test_multipart_upload_accepts_only_exact_part_size(sender: Client, video_bytes: bytes) -> None:
    upload = create_upload(sender, "video/mp4", len(video_bytes), in_parts=True)
    (url,) = upload["parts"]["urls"]
    for wrong in (video_bytes + b"x", video_bytes[:-1], video_bytes * 20):
        assert requests.put(url, data=wrong, timeout=TIMEOUT).status_code == 403
    etag = requests.put(url, data=video_bytes, timeout=TIMEOUT).headers["ETag"]
    assert sender.call("POST", upload["links"]["complete"], {"etags": [etag]}).status_code == 202
    assert wait_until_processed(sender, upload["id"])["status"] == "ready"


@pytest.mark.deployed
def test_large_upload_is_multipart(sender: Client) -> None:
    upload = create_upload(sender, "video/mp4", 100 * 1024 * 1024)
    assert upload["form"] is None
    assert len(upload["parts"]["urls"]) == 7


@pytest.mark.deployed
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"media_type": "text/html", "size_bytes": 1}, "/media_type"),
        ({"media_type": "image/svg+xml", "size_bytes": 1}, "/media_type"),
        ({"media_type": "image/png", "size_bytes": 0}, "/size_bytes"),
        ({"media_type": "image/png", "size_bytes": 26_214_401}, "/size_bytes"),
        ({"media_type": "video/mp4", "size_bytes": 1_073_741_825}, "/size_bytes"),
        ({"media_type": "image/png", "size_bytes": 1, "name": "a\0b"}, "/name"),
        ({"media_type": "image/png", "size_bytes": 1, "key": "inbox/x"}, "/key"),
        ({"size_bytes": 1}, "/media_type"),
    ],
)
def test_invalid_upload_request_error_names_field(
    sender: Client, body: dict[str, Any], pointer: str
) -> None:
    problem = assert_problem(sender.call("POST", "/v1/uploads", body), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_video_uses_uploaded_image_that_is_then_deletable(
    sender: Client, other_user: Client, stack: StackAccess
) -> None:
    upload = create_upload(sender, "image/jpeg", len(jpeg()))
    post_form(upload["form"], jpeg())
    item = wait_until_processed(sender, upload["id"])
    request = {"prompt": "Like this", "scenes": 1, "seconds": 2, "ratio": "960:960"}
    refused = other_user.call("POST", "/v1/videos", {**request, "image_id": upload["id"]})
    assert_problem(refused, 422)
    by_link = other_user.call("POST", "/v1/videos", {**request, "image_url": item["url"]})
    assert_problem(by_link, 422)
    for reference in ({"image_id": upload["id"]}, {"image_url": item["url"]}):
        video = sender.create(**request, **reference)
        keys = stack.objects(f"sender/{video['id']}/user-uploads/")
        assert len(keys) == 1
        assert stack.read(keys[0]) == stack.read(item["s3_key"])
    assert sender.call("DELETE", f"/v1/media/{upload['id']}").status_code == 204
    assert sender.wait(video["id"])["status"] == "succeeded"


def test_ssrf_image_url_into_private_network_is_rejected(
    sender: Client, stack: StackAccess
) -> None:
    endpoint = stack.link.endpoint
    for url in (
        endpoint,
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://nobody.invalid/a.png",
    ):
        response = sender.call("POST", "/v1/videos", {"prompt": "x", "image_url": url})
        problem = assert_problem(response, 422)
        assert problem["code"] in {"url.invalid", "url.not_public"}
