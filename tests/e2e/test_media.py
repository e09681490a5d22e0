"""The library on the deployed stack, and links that need no header."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from PIL import Image

from common.domain import ids
from tests.e2e.client import Backstage, Client
from tests.e2e.test_refusals import assert_problem


@pytest.fixture(scope="module")
def maker(as_user: Callable[[str], Client]) -> Client:
    """A client of a user who has one finished video of two scenes, and nothing else."""
    client = as_user("maker")
    wish = {"prompt": "A lighthouse in the fog", "scenes": 2, "seconds": 2, "ratio": "960:960"}
    assert client.wait(client.create(**wish)["id"])["status"] == "succeeded"
    return client


@pytest.fixture(scope="module")
def stranger(as_user: Callable[[str], Client]) -> Client:
    """A client of somebody else."""
    return as_user("stranger")


@pytest.fixture
def media(maker: Client) -> list[dict[str, Any]]:
    """All media of the maker, with fresh links."""
    response = maker.call("GET", "/v1/media")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["data"]
    return found


def one(media: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(item for item in media if item["kind"] == kind)


def follow(url: str, method: str = "GET", **options: Any) -> requests.Response:
    """Open a link as anybody does, without a key."""
    start, _, path = url.partition("/api/")
    return Client(start, None).call(method, f"/api/{path}", **options)


@pytest.mark.deployed
def test_the_library_shows_what_was_made(media: list[dict[str, Any]]) -> None:
    assert sorted(item["kind"] for item in media) == ["clip", "clip", "image", "image", "video"]
    assert {item["status"] for item in media} == {"ready"}
    cut = one(media, "video")
    assert cut["size_bytes"] > 1000
    assert cut["seconds"] == pytest.approx(4, abs=0.2)
    assert one(media, "clip")["seconds"] == pytest.approx(2, abs=0.1)
    assert {(item["width"], item["height"]) for item in media} == {(960, 960)}
    assert [item["created_at"] for item in media] == sorted(
        (item["created_at"] for item in media), reverse=True
    )


@pytest.mark.deployed
def test_the_library_is_searched_and_paged(maker: Client, media: list[dict[str, Any]]) -> None:
    def ids_of(query: str) -> list[str]:
        response = maker.call("GET", f"/v1/media{query}")
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["data"]]

    clips = [item["id"] for item in media if item["kind"] == "clip"]
    everything = [item["id"] for item in media]
    assert ids_of("?kind=clip") == clips
    assert ids_of(f"?video={media[0]['links']['video'].removeprefix('/v1/videos/')}") == everything
    assert ids_of("?q=LIGHTHOUSE%20in&kind=video") == [one(media, "video")["id"]]
    assert ids_of("?q=nothing-of-the-kind") == []
    assert ids_of(f"?created_before={media[-1]['created_at'].replace('+', '%2B')}") == []
    assert ids_of("?created_after=2020-01-01T00:00:00Z") == everything
    seen, query = [], "?limit=2"
    while True:
        page = maker.call("GET", f"/v1/media{query}").json()
        seen += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert seen == everything


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
def test_wrong_filters_are_named(maker: Client, query: str) -> None:
    problem = assert_problem(maker.call("GET", f"/v1/media{query}"), 422, "request.invalid")
    assert problem["errors"][0]["pointer"] == "/" + query[1:].partition("=")[0]


@pytest.mark.deployed
def test_media_of_another_owner_do_not_exist(stranger: Client, media: list[dict[str, Any]]) -> None:
    assert stranger.call("GET", "/v1/media").json() == {"data": [], "next_cursor": None}
    for item in media:
        for method in ("GET", "DELETE"):
            assert_problem(stranger.call(method, f"/v1/media/{item['id']}"), 404, "not_found")
    assert_problem(stranger.call("GET", f"/v1/media/{ids.new('med')}"), 404, "not_found")
    assert_problem(stranger.call("GET", "/v1/media/med_1"), 422)


@pytest.mark.deployed
@pytest.mark.parametrize("kind", ["image", "clip", "video"])
def test_what_a_video_is_made_of_is_not_deleted(
    maker: Client, media: list[dict[str, Any]], kind: str
) -> None:
    path = f"/v1/media/{one(media, kind)['id']}"
    assert_problem(maker.call("DELETE", path), 409, "media.in_use")
    assert maker.call("GET", path).status_code == 200


def test_a_replaced_version_is_deleted_with_its_object(
    maker: Client, media: list[dict[str, Any]], backstage: Backstage
) -> None:
    item = one(media, "video")
    with backstage.database() as cursor:
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
    assert backstage.objects(item["s3_key"]) == []
    assert_problem(maker.call("GET", f"/v1/media/{item['id']}"), 404)
    with backstage.database() as cursor:
        cursor.execute("DELETE FROM final_videos WHERE version = 2 AND video_key LIKE 'maker/%'")


@pytest.mark.deployed
def test_a_link_leads_to_the_object_without_a_header(media: list[dict[str, Any]]) -> None:
    picture = one(media, "image")
    response = follow(picture["url"], allow_redirects=False)
    assert response.status_code == 302
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Cache-Control"] == "no-store"
    assert "X-Content-Type-Options" in response.headers
    whole = follow(picture["url"])
    assert whole.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(whole.content)) as image:
        assert image.size == (picture["width"], picture["height"])


@pytest.mark.deployed
def test_ranges_and_head_work(media: list[dict[str, Any]]) -> None:
    clip = one(media, "clip")
    whole = follow(clip["url"]).content
    part = follow(clip["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    head = follow(clip["url"], "HEAD")
    assert [answer.status_code for answer in (*head.history, head)] == [302, 200]
    assert head.headers["Content-Type"] == "video/mp4"
    assert head.headers["Content-Length"] == str(len(whole))
    assert head.headers["Accept-Ranges"] == "bytes"
    picture = follow(one(media, "image")["url"], "HEAD")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")


@pytest.mark.deployed
def test_without_its_capability_a_link_leads_nowhere(media: list[dict[str, Any]]) -> None:
    url = one(media, "image")["url"]
    plain, _, token = url.partition("?t=")
    altered = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for query in ("", "?t=", f"?t={altered}", f"?t={token}=", f"?t={token[:-1]}", "?t=%00", "?x=1"):
        assert_problem(follow(plain + query), 404, "not_found")
        assert follow(plain + query, "HEAD").status_code == 404


def test_a_capability_opens_its_own_object_only(
    media: list[dict[str, Any]], as_user: Callable[[str], Client], backstage: Backstage
) -> None:
    """Every key of another owner, and every other key of the same one, through one token."""
    link = urlsplit(one(media, "image")["url"])
    (token,) = parse_qs(link.query)["t"]
    start = f"{link.scheme}://{link.netloc}{link.path.partition('/api/')[0]}"
    own = one(media, "image")["s3_key"]
    for key in [
        key for user in ("maker/", "alice/", "stranger/") for key in backstage.objects(user)
    ]:
        for kind in ("image", "video"):
            if (key, kind) != (own, "image"):
                url = f"{start}/api/proxy_s3_{kind}/{key}?t={token}"
                assert follow(url, allow_redirects=False).status_code == 404, url
    for key in (own.replace("/", "%2F"), own + "/", f"x/../{own}", own.upper(), f"{own}%00"):
        url = f"{start}/api/proxy_s3_image/{key}?t={token}"
        assert follow(url, allow_redirects=False).status_code in (302, 404), url


@pytest.mark.deployed
def test_all_links_end_at_once(
    maker: Client, stranger: Client, media: list[dict[str, Any]]
) -> None:
    old = [item["url"] for item in media]
    assert stranger.call("DELETE", "/v1/media/links").status_code == 204
    assert follow(old[0], allow_redirects=False).status_code == 302
    assert maker.call("DELETE", "/v1/media/links").status_code == 204
    for url in old:
        assert_problem(follow(url), 404, "not_found")
    fresh = maker.call("GET", "/v1/media").json()["data"]
    assert all(follow(item["url"], allow_redirects=False).status_code == 302 for item in fresh)
