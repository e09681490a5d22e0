"""The first version's endpoints for files on the deployed stack, with its fields."""

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
from tests.e2e.client import TIMEOUT, Backstage, Client
from tests.e2e.test_refusals import assert_problem
from tests.e2e.test_uploads import jpeg, settled
from tests.media.coded import FFMPEG

PRESIGNED, CONVERT = "/api/get_presigned_url", "/api/convert_s3_image_to_base64"


@pytest.fixture(scope="module")
def keeper(as_user: Callable[[str], Client]) -> Client:
    """A client of a user who keeps files."""
    return as_user("keeper")


@pytest.fixture(scope="module")
def stranger(as_user: Callable[[str], Client]) -> Client:
    """A client of somebody else."""
    return as_user("looker")


@pytest.fixture(scope="module")
def nobody(keeper: Client) -> Client:
    """A client without a key."""
    return Client(keeper.base_url, None)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("movie") / "m.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=1", "-pix_fmt", "yuv420p"]
    subprocess.run([FFMPEG, "-v", "error", *source, str(path)], check=True)
    return Path(path).read_bytes()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def answered(response: requests.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["success"] is True
    return body


@pytest.fixture(scope="module")
def picture(keeper: Client) -> dict[str, Any]:
    """A picture that the keeper uploaded."""
    wish = {"image": encoded(jpeg()), "requestId": "req-abc123", "expiresIn": 600}
    return answered(keeper.call("POST", "/api/upload_image", wish))


def token(url: str) -> str:
    return url.partition("?t=")[2]


def test_a_picture_is_uploaded_with_the_fields_of_the_first_version(
    picture: dict[str, Any], keeper: Client
) -> None:
    assert picture["userId"] == "keeper"
    assert picture["requestId"] == "req-abc123"
    assert picture["expiresIn"] == 600
    assert picture["s3Key"] == f"keeper/{picture['id']}/user-uploads/reference_image_1.png"
    for url in (picture["imageUrl"], picture["proxyUrl"]):
        data = requests.get(url, timeout=TIMEOUT).content
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.format) == ((320, 200), "PNG")
        assert b"MARKER" not in data
    listed = keeper.call("GET", "/v1/media?q=req-abc123").json()["data"]
    assert [item["id"] for item in listed] == [picture["id"]]


@pytest.mark.parametrize("path", ["/api/upload_image", "/api/public/upload-image"])
def test_a_picture_is_uploaded_as_a_form(keeper: Client, path: str) -> None:
    fields = {"requestId": "form-1", "expiresIn": "60"}
    files = {"file": ("holiday.jpg", jpeg(), "image/jpeg")}
    body = answered(keeper.call("POST", path, data=fields, files=files))
    assert (body["requestId"], body["expiresIn"]) == ("form-1", 60)
    assert requests.get(body["imageUrl"], timeout=TIMEOUT).headers["Content-Type"] == "image/png"


def test_an_upload_is_named_by_the_header_too(keeper: Client) -> None:
    header = {"X-Request-ID": "by-header"}
    for named in ({}, {"requestId": "by-header"}):
        wish = {"image": encoded(jpeg()), **named}
        body = answered(keeper.call("POST", "/api/upload_image", wish, headers=header))
        assert body["requestId"] == "by-header"
    both = {"image": encoded(jpeg()), "requestId": "other"}
    body = answered(keeper.call("POST", "/api/upload_image", both, headers=header))
    assert body["requestId"] == "by-header"


def test_a_small_video_is_uploaded_whole(keeper: Client, movie: bytes) -> None:
    response = keeper.call("POST", "/api/upload_video", {"video": encoded(movie)})
    if response.status_code == 202:  # it was not looked at within the wait
        assert settled(keeper, response.json()["id"])["status"] == "ready"
        return
    body = answered(response)
    assert body["s3Key"] == f"keeper/{body['id']}/user-uploads/video_1.mp4"
    assert requests.get(body["videoUrl"], timeout=TIMEOUT).content == movie
    assert requests.get(body["proxyUrl"], timeout=TIMEOUT).content == movie


def test_a_large_video_is_sent_in_parts(keeper: Client, movie: bytes) -> None:
    body = answered(keeper.call("POST", "/api/upload_video", {"fileSize": len(movie)}), 202)
    (url,) = body["uploadUrls"]
    etag = requests.put(url, data=movie, timeout=TIMEOUT).headers["ETag"]
    assert keeper.call("POST", body["completeUrl"], {"etags": [etag]}).status_code == 202
    assert settled(keeper, body["id"])["status"] == "ready"


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
def test_what_is_not_taken_is_named(
    keeper: Client, path: str, body: dict[str, Any], status: int, pointer: str
) -> None:
    problem = assert_problem(keeper.call("POST", f"/api/{path}", body), status)
    assert pointer in [fault["pointer"] for fault in problem["errors"]]


def test_a_bad_video_is_refused(keeper: Client) -> None:
    response = keeper.call("POST", "/api/upload_video", {"video": encoded(b"hello" * 9)})
    if response.status_code == 202:
        assert settled(keeper, response.json()["id"])["status"] == "refused"
    else:
        assert_problem(response, 400, "upload.type")


def test_files_are_for_another_user_only_with_the_scope(keeper: Client, operator: Client) -> None:
    wish = {"image": encoded(jpeg()), "userId": "ward"}
    assert_problem(keeper.call("POST", "/api/upload_image", wish), 403)
    body = answered(operator.call("POST", "/api/upload_image", wish))
    assert body["s3Key"].startswith("ward/")


def test_an_owner_gets_fresh_links_by_id_or_key(keeper: Client, picture: dict[str, Any]) -> None:
    for query in (f"id={picture['id']}", f"key={picture['s3Key']}"):
        body = answered(keeper.call("GET", f"{PRESIGNED}?{query}&expiresIn=120"))
        assert (body["s3Key"], body["expiresIn"]) == (picture["s3Key"], 120)
        assert body["requestId"] == "req-abc123"
        for url in (body["url"], body["proxyUrl"]):
            assert requests.get(url, timeout=TIMEOUT).status_code == 200
    for query in ("", f"?id={picture['id']}&key={picture['s3Key']}"):
        assert_problem(keeper.call("GET", PRESIGNED + query), 400)
    for query in (
        "?id=med_1",
        f"?id={picture['id']}&expiresIn=0",
        f"?id={picture['id']}&expiresIn=86401",
    ):
        assert_problem(keeper.call("GET", PRESIGNED + query), 400)


def test_nobody_gets_links_to_what_is_not_theirs(
    stranger: Client, nobody: Client, picture: dict[str, Any], backstage: Backstage
) -> None:
    for key in backstage.objects("keeper/"):
        for client in (stranger, nobody):
            assert_problem(client.call("GET", f"{PRESIGNED}?key={key}"), 404, "not_found")
            assert_problem(client.call("POST", CONVERT, {"s3Key": key}), 404, "not_found")
    for client in (stranger, nobody):
        assert_problem(client.call("GET", f"{PRESIGNED}?id={picture['id']}"), 404)
        assert_problem(client.call("GET", f"{PRESIGNED}?id={ids.new('med')}"), 404)


def test_a_capability_serves_without_a_key(
    nobody: Client, keeper: Client, picture: dict[str, Any]
) -> None:
    good = token(picture["proxyUrl"])
    body = answered(nobody.call("GET", f"{PRESIGNED}?t={good}&expiresIn=86400"))
    assert body["expiresIn"] <= 600  # narrowed to what is left, never widened
    assert requests.get(body["url"], timeout=TIMEOUT).status_code == 200
    for converted in (
        nobody.call("POST", f"{CONVERT}?t={good}", {}),
        nobody.call("POST", f"{CONVERT}?t={good}"),
        nobody.call("POST", CONVERT, {"imageUrl": picture["proxyUrl"]}),
        keeper.call("POST", CONVERT, {"imageUrl": picture["imageUrl"]}),
        keeper.call("POST", CONVERT, {"imageUrl": picture["proxyUrl"]}),
    ):
        body = answered(converted)
        data = base64.b64decode(body["base64"])
        assert body["image"] == f"data:image/png;base64,{body['base64']}"
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (320, 200)


def test_without_a_good_capability_there_is_nothing(
    nobody: Client, picture: dict[str, Any], stranger: Client
) -> None:
    good = token(picture["proxyUrl"])
    altered = ("B" if good[30] == "A" else "A").join((good[:30], good[31:]))
    for wrong in ("", "x", altered, good + "=", good[:-1]):
        assert_problem(nobody.call("GET", f"{PRESIGNED}?t={wrong}"), 404, "not_found")
        assert_problem(nobody.call("POST", f"{CONVERT}?t={wrong}", {}), 404, "not_found")
    assert_problem(nobody.call("GET", PRESIGNED), 404)
    assert_problem(nobody.call("POST", CONVERT, {}), 404)
    assert_problem(nobody.call("POST", CONVERT), 404)
    other = f"?t={good}&key=keeper/x/user-uploads/y.png"
    assert_problem(nobody.call("GET", PRESIGNED + other), 404)
    for url in ("https://a.example/x.png", "https://169.254.169.254/api/proxy_s3_image/a/b/c/d"):
        assert_problem(nobody.call("POST", CONVERT, {"imageUrl": url}), 404)


def test_a_wrong_key_is_refused_also_where_none_is_needed(
    nobody: Client, picture: dict[str, Any]
) -> None:
    wrong = Client(nobody.base_url, "vg_live_" + "A" * 42)
    assert_problem(wrong.call("GET", f"{PRESIGNED}?t={token(picture['proxyUrl'])}"), 401)
    assert_problem(nobody.call("POST", "/api/upload_image", {"image": "AAAA"}), 401)


def test_a_video_is_not_converted(keeper: Client) -> None:
    videos = [
        item
        for item in keeper.call("GET", "/v1/media").json()["data"]
        if item["media_type"] == "video/mp4" and item["status"] == "ready"
    ]
    for item in videos[:1]:
        problem = keeper.call("POST", CONVERT, {"id": item["id"]})
        assert_problem(problem, 400, "media.not_a_picture")


def test_ended_links_end_here_too(as_user: Callable[[str], Client], nobody: Client) -> None:
    client = as_user("ender")
    body = answered(client.call("POST", "/api/upload_image", {"image": encoded(jpeg())}))
    good = token(body["proxyUrl"])
    assert nobody.call("GET", f"{PRESIGNED}?t={good}").status_code == 200
    assert client.call("DELETE", "/v1/media/links").status_code == 204
    assert_problem(nobody.call("GET", f"{PRESIGNED}?t={good}"), 404)
    assert_problem(nobody.call("POST", CONVERT, {"imageUrl": body["proxyUrl"]}), 404)
