"""Reference images: inline, by id and by URL, with SSRF protection."""

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image

from common.application.image_inputs import ImageInputs
from common.database import Database, media, scenes, uploads
from common.database.media import Search
from common.database.uploads import Upload
from common.domain import ids
from common.domain.errors import InvalidInput, NotFound, PayloadTooLarge
from common.domain.uploads import InspectedUpload
from common.media import images
from common.schemas.requests import CreateVideoRequest
from tests.stand_ins.foreign_host import PUBLIC, ForeignHost, Page, serve
from tests.support.gateway import Gateway
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit, insert_story
from tests.support.ssrf import ADDRESSES, WRITTEN

BUCKET = "videos-media-1"
KEY = "alice/v/reference-frames/generated_frame_1_1.png"


def png(size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (9, 99, 199)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def running_host() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def host(running_host: ForeignHost) -> ForeignHost:
    running_host.forget()
    running_host.names.update({"pictures.example": [PUBLIC], "inner.example": [PUBLIC]})
    running_host.pages["/a.png"] = Page(png())
    return running_host


@pytest.fixture
def image_inputs(database: Database, host: ForeignHost) -> ImageInputs:
    """Image inputs of alice, who has one generated image."""
    video_id, _ = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key=KEY, usd=Decimal(0))
    return ImageInputs(database, InMemoryMediaStore({KEY: png()}), BUCKET, host.way)


def resolve(image_inputs: ImageInputs, user_id: str = "alice", **fields: str) -> bytes:
    """Return the image of a request that skips schema validation."""
    request = CreateVideoRequest.model_construct(None, prompt="x", **fields)
    image = image_inputs.resolve(user_id, request)
    assert image is not None
    return image.data


def generated_image_id(database: Database) -> str:
    with database.transaction() as cursor:
        (item,) = media.page(cursor, "alice", Search(kind="image"), limit=9, before=None)
    return item.media_id


def test_image_is_resolved_by_its_id(image_inputs: ImageInputs, database: Database) -> None:
    assert resolve(image_inputs, image_id=generated_image_id(database)) == images.clean(png()).data


def test_image_is_fetched_from_a_url_and_cleaned(
    image_inputs: ImageInputs, host: ForeignHost
) -> None:
    host.pages["/a.png"] = Page(png() + b"MARKER")
    assert b"MARKER" not in resolve(image_inputs, image_url="https://pictures.example/a.png")
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"https://api.example/live/api/proxy_s3_image/{KEY}?t={'A' * 80}",
        f"http://127.0.0.1:4566/_aws/execute-api/a/live/api/proxy_s3_image/{KEY}",
        f"https://{BUCKET}.s3.us-east-1.amazonaws.com/{KEY}?X-Amz-Signature=0",
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/{KEY}",
        f"http://127.0.0.1:4566/{BUCKET}/{KEY.replace('/', '%2F')}?X-Amz-Expires=1",
    ],
)
def test_ssrf_own_link_is_resolved_without_a_request(
    image_inputs: ImageInputs, host: ForeignHost, url: str
) -> None:
    assert resolve(image_inputs, image_url=url) == images.clean(png()).data
    with pytest.raises(InvalidInput) as caught:
        resolve(image_inputs, "bob", image_url=url)
    assert (caught.value.field, caught.value.error_code) == ("image_url", "request.invalid")
    with pytest.raises(InvalidInput):
        resolve(image_inputs, image_url=url.replace("_1_1", "_9_1"))
    assert (host.lookups, host.connections) == ([], [])


def test_media_that_is_not_a_ready_image_is_rejected(
    image_inputs: ImageInputs, database: Database
) -> None:
    pending = Upload(ids.new("med"), "alice", "image", "image/png", 100)
    audio = replace(pending, media_id=ids.new("med"), kind="audio", media_type="audio/mpeg")
    with database.transaction() as cursor:
        uploads.insert(cursor, pending)
        uploads.insert(cursor, audio)
        uploads.finish(
            cursor, audio.media_id, InspectedUpload("audio/mpeg", "alice/s.mp3", 100, "0" * 64)
        )
    for media_id in (pending.media_id, audio.media_id, ids.new("med")):
        with pytest.raises(InvalidInput) as caught:
            resolve(image_inputs, image_id=media_id)
        assert caught.value.field == "image_id"
    with pytest.raises(InvalidInput):
        resolve(image_inputs, "bob", image_id=generated_image_id(database))


def test_large_inline_image_is_rejected_with_advice_to_upload(image_inputs: ImageInputs) -> None:
    with pytest.raises(PayloadTooLarge, match="/v1/uploads"):
        resolve(image_inputs, image="A" * 5_900_000)


def test_ssrf_image_url_never_reaches_an_internal_address(
    image_inputs: ImageInputs, host: ForeignHost
) -> None:
    for url in WRITTEN:
        with pytest.raises(InvalidInput):
            resolve(image_inputs, image_url=url)
        with pytest.raises((InvalidInput, NotFound)):  # a field that accepts any form of image
            image_inputs.read("alice", url, "startImage")
    assert (host.lookups, host.connections) == ([], [])
    for address in ADDRESSES:
        host.names["inner.example"] = [address]
        with pytest.raises(InvalidInput):
            resolve(image_inputs, image_url="https://inner.example/a.png")
    assert (host.connections, host.requests) == ([], [])


def test_exactly_one_image_input_is_allowed(gateway: Gateway) -> None:
    inline = base64.b64encode(png()).decode()
    inputs = {"image": inline, "image_id": ids.new("med"), "image_url": "https://a.example/"}
    for first in inputs:
        for second in inputs.keys() - {first}:
            body = {"prompt": "x", first: inputs[first], second: inputs[second]}
            assert gateway.call("POST", "/v1/videos", body).status == 422
    for invalid in ("med_1", "alice/v/x.png", "../x"):
        assert (
            gateway.call("POST", "/v1/videos", {"prompt": "x", "image_id": invalid}).status == 422
        )


def test_estimate_accepts_any_image_input(gateway: Gateway) -> None:
    for form in ({"image_id": ids.new("med")}, {"image_url": "https://a.example/a.png"}):
        assert gateway.call("POST", "/v1/estimates", {"prompt": "x", **form}).status == 200


@pytest.mark.parametrize("text", ["a%00b", "a\0b", "%ED%A0%80%00", "%2500%00"])
@pytest.mark.parametrize(
    "prefix", ["https://e.example/api/proxy_s3_image/", f"https://{BUCKET}.s3/"]
)
def test_media_key_is_validated_after_percent_decoding(
    image_inputs: ImageInputs, text: str, prefix: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(image_inputs, image_url=prefix + text)
    assert caught.value.error_code == "url.invalid"


def test_images_are_fetched_concurrently(image_inputs: ImageInputs, host: ForeignHost) -> None:
    """Ten slow hosts take as long as one."""
    urls = {}
    for number in range(10):
        host.pages[f"/{number}.png"] = Page(png((64 + number, 48)), pieces=2, pause=1.0)
        urls[f"images.{number}"] = f"https://pictures.example/{number}.png"
    started = time.monotonic()
    sources = image_inputs.read_all("alice", urls, (320, 240))
    assert time.monotonic() - started < 6
    assert [images.size(source.picture) for source in sources] == [(320, 240)] * 10
    host.pages["/3.png"] = Page(b"no picture")
    with pytest.raises(InvalidInput) as caught:
        image_inputs.read_all("alice", urls)
    assert caught.value.field == "images.3"


@pytest.mark.parametrize(
    "name",
    [
        "user-uploads/reference_image_1.png",
        "user-uploads/reference_image_2_1.png",
        "video-clips/final_video_1.jpg",
        "video-clips/final_video_1.webp",
        "video-clips/thumbnail_2_1.jpg",
    ],
)
def test_links_returned_by_the_api_are_accepted_as_images(
    name: str, image_inputs: ImageInputs, database: Database
) -> None:
    video_id, _ = admit(database)
    key = f"alice/{video_id}/{name}"
    image_inputs.store.put(key, png((32, 16)), "image/png")
    url = f"https://h.example/live/api/proxy_s3_image/{key}?t=capability"
    assert resolve(image_inputs, image_url=url) == images.clean(png((32, 16))).data
    with pytest.raises(InvalidInput):
        resolve(image_inputs, "bob", image_url=url)


@pytest.mark.parametrize(
    "name",
    [
        "receipts/x.json",
        "video-clips/final_video_1.mp4",
        "provenance/manifest_1.json",
        "video-clips/delivered/x",
        "user-uploads/../receipts/a.png",
    ],
)
def test_other_files_of_a_video_are_rejected_as_images(
    name: str, image_inputs: ImageInputs, database: Database
) -> None:
    video_id, _ = admit(database)
    key = f"alice/{video_id}/{name}"
    image_inputs.store.put(key, png(), "image/png")
    with pytest.raises((InvalidInput, NotFound)):
        resolve(image_inputs, image_url=f"https://h.example/live/api/proxy_s3_image/{key}")
