"""Uploads on the deployed stack: sent by a form or in parts, looked at, measured, or refused."""

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
from tests.e2e.client import TIMEOUT, Backstage, Client
from tests.e2e.test_refusals import assert_problem
from tests.media.coded import FFMPEG


@pytest.fixture(scope="module")
def sender(as_user: Callable[[str], Client]) -> Client:
    """A client of a user who uploads."""
    return as_user("sender")


@pytest.fixture(scope="module")
def stranger(as_user: Callable[[str], Client]) -> Client:
    """A client of somebody else."""
    return as_user("passer-by")


def jpeg() -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "MARKER-IN-EXIF"
    Image.new("RGB", (320, 200), (200, 40, 40)).save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("movie") / "m.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=2", "-pix_fmt", "yuv420p"]
    subprocess.run([FFMPEG, "-v", "error", *source, str(path)], check=True)
    return Path(path).read_bytes()


def announce(client: Client, media_type: str, size: int, **more: Any) -> dict[str, Any]:
    wish = {"media_type": media_type, "size_bytes": size, **more}
    response = client.call("POST", "/v1/uploads", wish)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["Location"] == client.base_url + made["links"]["self"]
    return made


def send(form: dict[str, Any], data: bytes, **changes: str) -> requests.Response:
    fields = {**form["fields"], **changes}
    return requests.post(form["url"], data=fields, files={"file": data}, timeout=TIMEOUT)


def settled(client: Client, media_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        item: dict[str, Any] = client.call("GET", f"/v1/media/{media_id}").json()
        if item["status"] != "pending":
            return item
        time.sleep(0.2)
    raise AssertionError(f"still pending: {item}")


def arrivals(backstage: Backstage, media_id: str) -> list[str]:
    deadline = time.monotonic() + 20
    while (found := backstage.objects(f"_uploads/sender/{media_id}")) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.2)
    return found


def test_a_picture_is_registered_without_its_metadata(
    sender: Client, stranger: Client, backstage: Backstage
) -> None:
    made = announce(sender, "image/jpeg", len(jpeg()), name="My holiday")
    assert sender.call("GET", made["links"]["self"]).json()["status"] == "pending"
    assert send(made["form"], jpeg()).status_code == 204
    item = settled(sender, made["id"])
    assert (item["status"], item["media_type"]) == ("ready", "image/png")
    assert (item["width"], item["height"], item["name"]) == (320, 200, "My holiday")
    kept = requests.get(item["url"], timeout=TIMEOUT).content
    assert hashlib.sha256(kept).hexdigest() == item["sha256"]
    assert b"MARKER" not in kept
    assert arrivals(backstage, made["id"]) == []
    listed = sender.call("GET", "/v1/media?kind=upload&q=holiday").json()["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    for method in ("GET", "DELETE"):
        assert_problem(stranger.call(method, f"/v1/media/{made['id']}"), 404)
    assert sender.call("DELETE", f"/v1/media/{made['id']}").status_code == 204
    assert backstage.objects(item["s3_key"]) == []


@pytest.mark.deployed
def test_a_video_is_sent_in_parts_and_measured(sender: Client, movie: bytes) -> None:
    made = announce(sender, "video/mp4", len(movie), in_parts=True)
    (url,) = made["parts"]["urls"]
    etag = requests.put(url, data=movie, timeout=TIMEOUT).headers["ETag"]
    complete = made["links"]["complete"]
    for wrong in (["0" * 32], [etag, etag]):
        assert_problem(sender.call("POST", complete, {"etags": wrong}), 422, "upload.parts")
    assert_problem(sender.call("POST", complete, {"etags": []}), 422, "request.invalid")
    response = sender.call("POST", complete, {"etags": [etag]})
    assert response.status_code == 202, response.text
    item = settled(sender, made["id"])
    assert item["status"] == "ready", item
    assert (item["width"], item["height"]) == (320, 180)
    assert item["seconds"] == pytest.approx(2, abs=0.1)
    assert item["sha256"] == hashlib.sha256(movie).hexdigest()
    assert_problem(sender.call("POST", complete, {"etags": [etag]}), 409, "upload.settled")
    assert_problem(sender.call("POST", made["links"]["abort"]), 409, "upload.settled")


@pytest.mark.parametrize("data", [b"hello, not a picture", b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_a_bad_file_is_refused_and_its_bytes_are_gone(
    sender: Client, backstage: Backstage, data: bytes
) -> None:
    made = announce(sender, "image/png", len(data))
    assert send(made["form"], data).status_code == 204
    item = settled(sender, made["id"])
    assert item["status"] == "refused"
    assert item["error"]["code"] in {"upload.type", "image.invalid"}
    assert item["url"] is None
    assert arrivals(backstage, made["id"]) == []
    assert backstage.objects(f"sender/{made['id']}") == []


def test_the_form_takes_exactly_what_was_announced(sender: Client, backstage: Backstage) -> None:
    data = jpeg()
    form = announce(sender, "image/jpeg", len(data))["form"]
    assert send(form, data + b"x").status_code in (400, 403)
    assert send(form, data[:-1]).status_code in (400, 403)
    assert send(form, data, **{"Content-Type": "text/html"}).status_code == 403
    other = form["fields"]["key"].replace("_uploads/sender/", "_uploads/alice/")
    for key in (other, f"sender/{ids.new('vid')}/video-clips/final_video_1.mp4", "inbox/sender/x"):
        assert send(form, data, key=key).status_code == 403
        assert backstage.objects(key) == []


@pytest.mark.deployed
def test_an_upload_is_aborted(sender: Client, stranger: Client) -> None:
    made = announce(sender, "audio/mpeg", 100, in_parts=True)
    assert_problem(stranger.call("POST", made["links"]["abort"]), 404)
    assert_problem(stranger.call("POST", made["links"]["complete"], {"etags": ["a"]}), 404)
    assert sender.call("POST", made["links"]["abort"]).status_code == 204
    assert_problem(sender.call("GET", made["links"]["self"]), 404)
    assert_problem(sender.call("POST", made["links"]["abort"]), 404)
    late = requests.put(made["parts"]["urls"][0], data=b"x" * 100, timeout=TIMEOUT)
    assert late.status_code in (403, 404)


@pytest.mark.deployed
def test_a_form_is_not_completed(sender: Client) -> None:
    made = announce(sender, "image/png", 100)
    path = f"/v1/uploads/{made['id']}/complete"
    assert_problem(sender.call("POST", path, {"etags": ["a"]}), 409, "upload.no_parts")


@pytest.mark.deployed
def test_the_store_takes_a_part_of_its_exact_size_only(sender: Client, movie: bytes) -> None:
    made = announce(sender, "video/mp4", len(movie), in_parts=True)
    (url,) = made["parts"]["urls"]
    for wrong in (movie + b"x", movie[:-1], movie * 20):
        assert requests.put(url, data=wrong, timeout=TIMEOUT).status_code == 403
    etag = requests.put(url, data=movie, timeout=TIMEOUT).headers["ETag"]
    assert sender.call("POST", made["links"]["complete"], {"etags": [etag]}).status_code == 202
    assert settled(sender, made["id"])["status"] == "ready"


@pytest.mark.deployed
def test_large_files_come_in_parts(sender: Client) -> None:
    made = announce(sender, "video/mp4", 100 * 1024 * 1024)
    assert made["form"] is None
    assert len(made["parts"]["urls"]) == 7


@pytest.mark.deployed
@pytest.mark.parametrize(
    ("wish", "pointer"),
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
def test_what_is_not_taken_is_named(sender: Client, wish: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(sender.call("POST", "/v1/uploads", wish), 422)
    assert pointer in [fault["pointer"] for fault in problem["errors"]]


def test_a_video_is_made_after_an_uploaded_picture_which_may_then_go(
    sender: Client, stranger: Client, backstage: Backstage
) -> None:
    made = announce(sender, "image/jpeg", len(jpeg()))
    send(made["form"], jpeg())
    item = settled(sender, made["id"])
    wish = {"prompt": "Like this", "scenes": 1, "seconds": 2, "ratio": "960:960"}
    refused = stranger.call("POST", "/v1/videos", {**wish, "image_id": made["id"]})
    assert_problem(refused, 422)
    by_link = stranger.call("POST", "/v1/videos", {**wish, "image_url": item["url"]})
    assert_problem(by_link, 422)
    for form in ({"image_id": made["id"]}, {"image_url": item["url"]}):
        video = sender.create(**wish, **form)
        kept = backstage.objects(f"sender/{video['id']}/user-uploads/")
        assert len(kept) == 1
        assert backstage.read(kept[0]) == backstage.read(item["s3_key"])
    assert sender.call("DELETE", f"/v1/media/{made['id']}").status_code == 204
    assert sender.wait(video["id"])["status"] == "succeeded"


def test_a_url_into_the_neighbourhood_is_refused(sender: Client, backstage: Backstage) -> None:
    endpoint = backstage.link.endpoint
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
