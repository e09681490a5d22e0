"""Reference pictures: inline, by id, by URL; no URL makes the service visit its own neighbours."""

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
from tests.offline.providers import Shelf
from tests.stand_ins.foreign_host import PUBLIC, ForeignHost, Page, serve
from tests.support.gateway import Gateway
from tests.support.rows import admit, tell
from tests.support.ssrf import ADDRESSES, WRITTEN

BUCKET = "videos-media-1"
KEY = "alice/v/reference-frames/generated_frame_1_1.png"


def png(size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (9, 99, 199)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def running() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def host(running: ForeignHost) -> ForeignHost:
    running.forget()
    running.names.update({"pictures.example": [PUBLIC], "inner.example": [PUBLIC]})
    running.pages["/a.png"] = Page(png())
    return running


@pytest.fixture
def references(database: Database, host: ForeignHost) -> ImageInputs:
    """Of alice, who has one painted picture."""
    video_id, _ = admit(database)
    tell(database, video_id)
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key=KEY, usd=Decimal(0))
    return ImageInputs(database, Shelf({KEY: png()}), BUCKET, host.way)


def wished(references: ImageInputs, user_id: str = "alice", **form: str) -> bytes:
    """The picture of a wish that is not held against its own limits first."""
    wish = CreateVideoRequest.model_construct(None, prompt="x", **form)
    picture = references.resolve(user_id, wish)
    assert picture is not None
    return picture.data


def painted(database: Database) -> str:
    with database.transaction() as cursor:
        (found,) = media.page(cursor, "alice", Search(kind="image"), limit=9, before=None)
    return found.media_id


def test_a_picture_is_taken_by_its_id(references: ImageInputs, database: Database) -> None:
    assert wished(references, image_id=painted(database)) == images.clean(png()).data


def test_a_picture_is_taken_from_a_url_and_cleaned(
    references: ImageInputs, host: ForeignHost
) -> None:
    host.pages["/a.png"] = Page(png() + b"MARKER")
    assert b"MARKER" not in wished(references, image_url="https://pictures.example/a.png")
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
def test_a_link_of_our_own_is_looked_up_and_never_visited(
    references: ImageInputs, host: ForeignHost, url: str
) -> None:
    assert wished(references, image_url=url) == images.clean(png()).data
    with pytest.raises(InvalidInput) as caught:
        wished(references, "bob", image_url=url)
    assert (caught.value.field, caught.value.error_code) == ("image_url", "request.invalid")
    with pytest.raises(InvalidInput):
        wished(references, image_url=url.replace("_1_1", "_9_1"))
    assert (host.lookups, host.connections) == ([], [])


def test_what_is_not_a_picture_that_is_ready_is_refused(
    references: ImageInputs, database: Database
) -> None:
    pending = Upload(ids.new("med"), "alice", "image", "image/png", 100)
    sound = replace(pending, media_id=ids.new("med"), kind="audio", media_type="audio/mpeg")
    with database.transaction() as cursor:
        uploads.insert(cursor, pending)
        uploads.insert(cursor, sound)
        uploads.finish(
            cursor, sound.media_id, InspectedUpload("audio/mpeg", "alice/s.mp3", 100, "0" * 64)
        )
    for media_id in (pending.media_id, sound.media_id, ids.new("med")):
        with pytest.raises(InvalidInput) as caught:
            wished(references, image_id=media_id)
        assert caught.value.field == "image_id"
    with pytest.raises(InvalidInput):
        wished(references, "bob", image_id=painted(database))


def test_a_large_inline_picture_is_sent_to_the_uploads(references: ImageInputs) -> None:
    with pytest.raises(PayloadTooLarge, match="/v1/uploads"):
        wished(references, image="A" * 5_900_000)


def test_no_url_visits_a_neighbour(references: ImageInputs, host: ForeignHost) -> None:
    for url in WRITTEN:
        with pytest.raises(InvalidInput):
            wished(references, image_url=url)
        with pytest.raises((InvalidInput, NotFound)):  # where any way to name a picture is taken
            references.read("alice", url, "startImage")
    assert (host.lookups, host.connections) == ([], [])
    for address in ADDRESSES:
        host.names["inner.example"] = [address]
        with pytest.raises(InvalidInput):
            wished(references, image_url="https://inner.example/a.png")
    assert (host.connections, host.requests) == ([], [])


def test_one_form_is_given(gateway: Gateway) -> None:
    inline = base64.b64encode(png()).decode()
    forms = {"image": inline, "image_id": ids.new("med"), "image_url": "https://a.example/"}
    for one in forms:
        for other in forms.keys() - {one}:
            body = {"prompt": "x", one: forms[one], other: forms[other]}
            assert gateway.call("POST", "/v1/videos", body).status == 422
    for wrong in ("med_1", "alice/v/x.png", "../x"):
        assert gateway.call("POST", "/v1/videos", {"prompt": "x", "image_id": wrong}).status == 422


def test_an_estimate_counts_a_picture_in_any_form(gateway: Gateway) -> None:
    for form in ({"image_id": ids.new("med")}, {"image_url": "https://a.example/a.png"}):
        assert gateway.call("POST", "/v1/estimates", {"prompt": "x", **form}).status == 200


@pytest.mark.parametrize("text", ["a%00b", "a\0b", "%ED%A0%80%00", "%2500%00"])
@pytest.mark.parametrize(
    "place", ["https://e.example/api/proxy_s3_image/", f"https://{BUCKET}.s3/"]
)
def test_a_key_is_checked_after_it_is_decoded(
    references: ImageInputs, text: str, place: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        wished(references, image_url=place + text)
    assert refused.value.error_code == "url.invalid"


def test_pictures_are_fetched_side_by_side(references: ImageInputs, host: ForeignHost) -> None:
    """Ten slow servers take as long as one."""
    texts = {}
    for number in range(10):
        host.pages[f"/{number}.png"] = Page(png((64 + number, 48)), pieces=2, pause=1.0)
        texts[f"images.{number}"] = f"https://pictures.example/{number}.png"
    begun = time.monotonic()
    found = references.read_all("alice", texts, (320, 240))
    assert time.monotonic() - begun < 6
    assert [images.size(source.picture) for source in found] == [(320, 240)] * 10
    host.pages["/3.png"] = Page(b"no picture")
    with pytest.raises(InvalidInput) as refused:
        references.read_all("alice", texts)
    assert refused.value.field == "images.3"


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
def test_every_link_to_a_picture_that_the_api_gave_out_is_taken(
    name: str, references: ImageInputs, database: Database
) -> None:
    video_id, _ = admit(database)
    key = f"alice/{video_id}/{name}"
    references.store.put(key, png((32, 16)), "image/png")
    url = f"https://h.example/live/api/proxy_s3_image/{key}?t=capability"
    assert wished(references, image_url=url) == images.clean(png((32, 16))).data
    with pytest.raises(InvalidInput):
        wished(references, "bob", image_url=url)


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
def test_other_files_of_a_video_are_not_read_as_pictures(
    name: str, references: ImageInputs, database: Database
) -> None:
    video_id, _ = admit(database)
    key = f"alice/{video_id}/{name}"
    references.store.put(key, png(), "image/png")
    with pytest.raises((InvalidInput, NotFound)):
        wished(references, image_url=f"https://h.example/live/api/proxy_s3_image/{key}")
