"""The media library and signed links on the deployed stack."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from PIL import Image

from common.domain import ids
from tests.e2e.client import Client, StackAccess
from tests.e2e.test_refusals import assert_problem


@pytest.fixture(scope="module")
def maker(as_user: Callable[[str], Client]) -> Client:
    """A client of a user with one finished video of two scenes."""
    client = as_user("maker")
    request = {"prompt": "A lighthouse in the fog", "scenes": 2, "seconds": 2, "ratio": "960:960"}
    assert client.wait(client.create(**request)["id"])["status"] == "succeeded"
    return client


@pytest.fixture(scope="module")
def other_user(as_user: Callable[[str], Client]) -> Client:
    """A client of another user."""
    return as_user("stranger")


@pytest.fixture
def media(maker: Client) -> list[dict[str, Any]]:
    """All media of the user, with fresh links."""
    response = maker.call("GET", "/v1/media")
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["data"]
    return items


def first_of_kind(media: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(item for item in media if item["kind"] == kind)


def open_link(url: str, method: str = "GET", **options: Any) -> requests.Response:
    """Request a signed link without an API key."""
    start, _, path = url.partition("/api/")
    return Client(start, None).call(method, f"/api/{path}", **options)


@pytest.mark.deployed
def test_media_library_lists_video_objects(media: list[dict[str, Any]]) -> None:
    assert sorted(item["kind"] for item in media) == ["clip", "clip", "image", "image", "video"]
    assert {item["status"] for item in media} == {"ready"}
    final_video = first_of_kind(media, "video")
    assert final_video["size_bytes"] > 1000
    assert final_video["seconds"] == pytest.approx(4, abs=0.2)
    assert first_of_kind(media, "clip")["seconds"] == pytest.approx(2, abs=0.1)
    assert {(item["width"], item["height"]) for item in media} == {(960, 960)}
    assert [item["created_at"] for item in media] == sorted(
        (item["created_at"] for item in media), reverse=True
    )


@pytest.mark.deployed
def test_media_library_filters_and_pagination(maker: Client, media: list[dict[str, Any]]) -> None:
    def ids_of(query: str) -> list[str]:
        response = maker.call("GET", f"/v1/media{query}")
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["data"]]

    clips = [item["id"] for item in media if item["kind"] == "clip"]
    all_ids = [item["id"] for item in media]
    assert ids_of("?kind=clip") == clips
    assert ids_of(f"?video={media[0]['links']['video'].removeprefix('/v1/videos/')}") == all_ids
    assert ids_of("?q=LIGHTHOUSE%20in&kind=video") == [first_of_kind(media, "video")["id"]]
    assert ids_of("?q=nothing-of-the-kind") == []
    assert ids_of(f"?created_before={media[-1]['created_at'].replace('+', '%2B')}") == []
    assert ids_of("?created_after=2020-01-01T00:00:00Z") == all_ids
    listed, query = [], "?limit=2"
    while True:
        page = maker.call("GET", f"/v1/media{query}").json()
        listed += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert listed == all_ids


@pytest.mark.deployed
@pytest.mark.parametrize(
    "query",
    [
        "?kind=poem",
        "?video=x",
        "?limit=0",
        "?limit=101",
        "?cursor=abc",
        "?created_after=yesterday",
        "?q=" + "x" * 201,
        "?q=%00",
    ],
)
def test_media_library_invalid_filter_error_names_parameter(maker: Client, query: str) -> None:
    problem = assert_problem(maker.call("GET", f"/v1/media{query}"), 422, "request.invalid")
    assert problem["errors"][0]["pointer"] == "/" + query[1:].partition("=")[0]


@pytest.mark.deployed
def test_media_of_other_user_is_not_found(other_user: Client, media: list[dict[str, Any]]) -> None:
    assert other_user.call("GET", "/v1/media").json() == {"data": [], "next_cursor": None}
    for item in media:
        for method in ("GET", "DELETE"):
            assert_problem(other_user.call(method, f"/v1/media/{item['id']}"), 404, "not_found")
    assert_problem(other_user.call("GET", f"/v1/media/{ids.new('med')}"), 404, "not_found")
    assert_problem(other_user.call("GET", "/v1/media/med_1"), 422)


@pytest.mark.deployed
@pytest.mark.parametrize("kind", ["image", "clip", "video"])
def test_media_in_use_cannot_be_deleted(
    maker: Client, media: list[dict[str, Any]], kind: str
) -> None:
    path = f"/v1/media/{first_of_kind(media, kind)['id']}"
    assert_problem(maker.call("DELETE", path), 409, "media.in_use")
    assert maker.call("GET", path).status_code == 200


def test_deleting_replaced_media_version_removes_object(
    maker: Client, media: list[dict[str, Any]], stack: StackAccess
) -> None:
    item = first_of_kind(media, "video")
    with stack.database() as cursor:
        cursor.execute(
            """
            INSERT INTO final_videos (session_id, version, video_key, poster_key, total_clips,
                                      duration, frames, size_bytes, sha256)
            SELECT session_id, 2, video_key || '2', poster_key, total_clips, duration, frames,
                   size_bytes, sha256 FROM final_videos WHERE media_id = %s
            """,
            (item["id"],),
        )
    assert maker.call("DELETE", f"/v1/media/{item['id']}").status_code == 204
    assert stack.objects(item["s3_key"]) == []
    assert_problem(maker.call("GET", f"/v1/media/{item['id']}"), 404)
    with stack.database() as cursor:
        cursor.execute("DELETE FROM final_videos WHERE version = 2 AND video_key LIKE 'maker/%'")


@pytest.mark.deployed
def test_signed_link_redirects_to_object_without_api_key(media: list[dict[str, Any]]) -> None:
    picture = first_of_kind(media, "image")
    response = open_link(picture["url"], allow_redirects=False)
    assert response.status_code == 302
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Cache-Control"] == "no-store"
    assert "X-Content-Type-Options" in response.headers
    whole = open_link(picture["url"])
    assert whole.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(whole.content)) as image:
        assert image.size == (picture["width"], picture["height"])


@pytest.mark.deployed
def test_signed_link_supports_range_and_head(media: list[dict[str, Any]]) -> None:
    clip = first_of_kind(media, "clip")
    whole = open_link(clip["url"]).content
    part = open_link(clip["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    head = open_link(clip["url"], "HEAD")
    assert [response.status_code for response in (*head.history, head)] == [302, 200]
    assert head.headers["Content-Type"] == "video/mp4"
    assert head.headers["Content-Length"] == str(len(whole))
    assert head.headers["Accept-Ranges"] == "bytes"
    picture = open_link(first_of_kind(media, "image")["url"], "HEAD")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")


@pytest.mark.deployed
def test_signed_link_with_invalid_token_is_not_found(media: list[dict[str, Any]]) -> None:
    url = first_of_kind(media, "image")["url"]
    plain, _, token = url.partition("?t=")
    altered_token = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for query in (
        "",
        "?t=",
        f"?t={altered_token}",
        f"?t={token}=",
        f"?t={token[:-1]}",
        "?t=%00",
        "?x=1",
    ):
        assert_problem(open_link(plain + query), 404, "not_found")
        assert open_link(plain + query, "HEAD").status_code == 404


def test_signed_link_token_opens_only_its_object(
    media: list[dict[str, Any]], as_user: Callable[[str], Client], stack: StackAccess
) -> None:
    """A token is rejected for every other object of the same and of other users."""
    link = urlsplit(first_of_kind(media, "image")["url"])
    (token,) = parse_qs(link.query)["t"]
    start = f"{link.scheme}://{link.netloc}{link.path.partition('/api/')[0]}"
    own_key = first_of_kind(media, "image")["s3_key"]
    for key in [key for user in ("maker/", "alice/", "stranger/") for key in stack.objects(user)]:
        for kind in ("image", "video"):
            if (key, kind) != (own_key, "image"):
                url = f"{start}/api/proxy_s3_{kind}/{key}?t={token}"
                assert open_link(url, allow_redirects=False).status_code == 404, url
    for key in (
        own_key.replace("/", "%2F"),
        own_key + "/",
        f"x/../{own_key}",
        own_key.upper(),
        f"{own_key}%00",
    ):
        url = f"{start}/api/proxy_s3_image/{key}?t={token}"
        assert open_link(url, allow_redirects=False).status_code in (302, 404), url


@pytest.mark.deployed
def test_revoking_links_ends_all_links_of_user(
    maker: Client, other_user: Client, media: list[dict[str, Any]]
) -> None:
    old = [item["url"] for item in media]
    assert other_user.call("DELETE", "/v1/media/links").status_code == 204
    assert open_link(old[0], allow_redirects=False).status_code == 302
    assert maker.call("DELETE", "/v1/media/links").status_code == 204
    for url in old:
        assert_problem(open_link(url), 404, "not_found")
    fresh = maker.call("GET", "/v1/media").json()["data"]
    assert all(open_link(item["url"], allow_redirects=False).status_code == 302 for item in fresh)
