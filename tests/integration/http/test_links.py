"""Signed links: every link in a response goes through the API, and can be revoked."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
import requests

from common.database import Database
from common.domain import ids
from common.domain.video import File
from tests.integration.http.owners import finish_run, insert_video, mint
from tests.integration.http.request import IMAGE, VIDEO_BODY
from tests.integration.http.service import Service
from tests.support.fixtures import BUCKET
from tests.support.gateway import Reply

FILES = (
    ("video", "final_video_1.mp4", "video/mp4"),
    ("rendition", "final_video_1_shape_1.mp4", "video/mp4"),
    ("poster", "final_video_1.jpg", "image/jpeg"),
    ("preview", "preview_1.gif", "image/gif"),
    ("captions", "captions_1.vtt", "text/vtt"),
    ("captions", "captions_1.srt", "application/x-subrip"),
    ("thumbnail", "thumbnail_1_1.jpg", "image/jpeg"),
)


class Owner:
    """A user with a key and a finished video with one file of every kind."""

    def __init__(self, service: Service, rows: Database, user_id: str) -> None:
        self.service, self.rows, self.user_id = service, rows, user_id
        self.key_id, self.key = mint(rows, user_id)
        self.video_id = ids.new("vid")
        self.folder = f"{user_id}/{self.video_id}"
        reference = f"{self.folder}/user-uploads/reference_image_1.png"
        insert_video(
            rows,
            user_id,
            self.key_id,
            "succeeded",
            session_id=self.video_id,
            reference_key=reference,
        )
        narration = f"{self.folder}/narrations/narration_1_1.wav"
        files = [
            File(
                kind,
                f"{self.folder}/video-clips/{name}",
                media_type,
                1,
                "0" * 64,
                scene=1 if kind == "thumbnail" else None,
            )
            for kind, name, media_type in FILES
        ]
        with rows.transaction() as cursor:
            cursor.execute(
                "UPDATE final_videos SET files = %s WHERE session_id = %s",
                (json.dumps([asdict(file) for file in files]), self.video_id),
            )
            cursor.execute(
                "UPDATE video_sessions SET story_title = %s WHERE session_id = %s",
                ("Ein Drache: Über Köln", self.video_id),
            )
            cursor.execute(
                "INSERT INTO video_narrations (session_id, scene_number, text, status, audio_key, "
                "seconds) VALUES (%s, 1, 'a', 'succeeded', %s, 1)",
                (self.video_id, narration),
            )
        storage = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
        self.keys = {reference, narration, *(file.key for file in files)} | {
            f"{self.folder}/reference-frames/generated_frame_1_1.png",
            f"{self.folder}/video-clips/generated_clip_1_1.mp4",
        }
        for key in self.keys:
            storage.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.call(method, path, body, key=self.key, headers=request_headers)

    def show(self) -> Any:
        return self.call("GET", f"/v1/videos/{self.video_id}").json()


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return Owner(service, rows, "alice")


@pytest.fixture
def bob(service: Service, rows: Database) -> Owner:
    return Owner(service, rows, "bob")


def links_in(value: Any) -> Iterator[str]:
    """Yield every URL in a response body, at any depth."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from links_in(inner)
    elif isinstance(value, str) and "://" in value:
        yield value


def follow(service: Service, url: str, method: str = "GET", extra_query: str = "") -> Reply:
    link = urlsplit(url)
    return service.send(
        method, f"{link.path.removeprefix('/live')}?{link.query}{extra_query}", {}, None
    )


def key_of(url: str) -> str:
    return unquote(urlsplit(url).path.split("/api/proxy_s3_")[1].partition("/")[2])


def every_link(owner: Owner, rows: Database) -> list[str]:
    """Call every operation that returns links; return all links."""
    path = f"/v1/videos/{owner.video_id}"
    responses = [
        owner.call("GET", path),
        owner.call("GET", f"{path}/download"),
        owner.call("GET", "/v1/media"),
        owner.call("POST", "/api/upload_image", {"image": IMAGE, "expiresIn": 86_400}),
    ]
    for item in responses[2].json()["data"]:
        query = f"id={item['id']}&expiresIn=86400"
        responses.append(owner.call("GET", f"/api/get_presigned_url?{query}"))
        responses.append(owner.call("GET", f"/v1/media/{item['id']}"))
    step = owner.call(
        "POST",
        "/api/generate_single_image",
        {"prompt": "A kite", "expiresIn": 86_400},
        Prefer="wait=0",
    )
    _, run_id = step.json()["statusUrl"].rsplit("/", 1)
    finish_run(rows, run_id, owner)  # type: ignore[arg-type]  # has the attributes it needs
    responses.append(owner.call("GET", f"/api/runs/{run_id}"))
    for reply in responses:
        assert reply.status == 200, reply.text
    return [url for reply in responses for url in links_in(reply.json())]


def test_signed_links_go_through_the_api_and_can_be_revoked(
    service: Service, rows: Database, alice: Owner, bob: Owner
) -> None:
    links, other_links = every_link(alice, rows), every_link(bob, rows)
    assert {key_of(url) for url in links} >= alice.keys
    assert not [url for url in links if "X-Amz" in url or "/api/proxy_s3_" not in url]
    for url in [*links, *other_links]:
        assert follow(service, url).status == 302, url
    assert alice.call("DELETE", "/v1/media/links").status == 204
    for url in links:
        for method in ("GET", "HEAD"):
            assert follow(service, url, method).status == 404, url
    for url in other_links:
        assert follow(service, url).status == 302, url
    for url in links_in(alice.show()):  # new links
        assert follow(service, url).status == 302, url


def test_signed_link_supports_get_range_and_head(service: Service, alice: Owner) -> None:
    video = alice.show()
    links = list(links_in(video))
    assert {key_of(url) for url in links} == alice.keys
    for url in links:
        target = follow(service, url).headers["Location"]
        assert int(parse_qs(urlsplit(target).query)["X-Amz-Expires"][0]) <= 300
        assert requests.get(target, timeout=30).content == b"0123456789"
        partial = requests.get(target, headers={"Range": "bytes=2-4"}, timeout=30)
        assert (partial.status_code, partial.content) == (206, b"234")
        head = follow(service, url, "HEAD")
        assert (head.status, "Content-Length" in head.headers) == (302, False), url
        head_response = requests.head(head.headers["Location"], timeout=30)
        assert (head_response.status_code, head_response.headers["Content-Length"]) == (
            200,
            "10",
        ), url
        assert head_response.headers["Accept-Ranges"] == "bytes"


def test_download_has_the_title_of_the_video_as_file_name(service: Service, alice: Owner) -> None:
    download = alice.call("GET", f"/v1/videos/{alice.video_id}/download").json()
    assert follow(service, download["url"], "HEAD").status == 302
    target = follow(service, download["url"]).headers["Location"]
    disposition = requests.get(target, timeout=30).headers["Content-Disposition"]
    assert disposition.startswith("attachment;")
    assert unquote(disposition.partition("''")[2]) == download["filename"]
    poster = alice.show()["output"]["poster_url"]
    for extra_query, is_download in (
        ("&download=true", True),
        ("&download=x", False),
        ("&a=b", False),
    ):
        target = follow(service, poster, extra_query=extra_query).headers["Location"]
        assert ("response-content-disposition" in target) is is_download


def test_signed_link_is_valid_for_its_own_object_only(
    service: Service, alice: Owner, bob: Owner
) -> None:
    links_by_key = {key_of(url): url for url in links_in(alice.show())}
    all_keys = {*links_by_key, *(key_of(url) for url in links_in(bob.show()))}
    for key, url in links_by_key.items():
        query = url.partition("?")[2]
        for other_key in all_keys - {key}:
            for kind in ("image", "video"):
                reply = service.send("GET", f"/api/proxy_s3_{kind}/{other_key}?{query}", {}, None)
                assert reply.status == 404, (key, other_key)
        other_kind = "video" if "proxy_s3_image" in url else "image"
        assert (
            service.send("GET", f"/api/proxy_s3_{other_kind}/{key}?{query}", {}, None).status == 404
        )


def test_signed_link_ends_when_its_video_is_deleted(service: Service, alice: Owner) -> None:
    links = list(links_in(alice.show()))
    assert alice.call("DELETE", f"/v1/videos/{alice.video_id}").status == 204
    for url in links:
        assert follow(service, url).status == 404


def test_idempotency_record_contains_no_signed_links(
    service: Service, rows: Database, alice: Owner
) -> None:
    key = {"Idempotency_Key": "one"}
    body = {**VIDEO_BODY, "image": IMAGE, "metadata": {"url": "bob/v/user-uploads/a.png"}}
    first = alice.call("POST", "/v1/videos", body, **key)
    assert first.status == 202, first.text
    with rows.transaction() as cursor:
        cursor.execute("SELECT body FROM idempotency_keys")
        (row,) = cursor.fetchall()
    assert "://" not in row["body"]
    assert "t=" not in row["body"]
    url = first.json()["reference_url"]
    assert follow(service, url).status == 302
    assert alice.call("DELETE", "/v1/media/links").status == 204
    replayed = alice.call("POST", "/v1/videos", body, **key)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    new_url = replayed.json()["reference_url"]
    assert {**first.json(), "reference_url": ""} == {**replayed.json(), "reference_url": ""}
    assert (follow(service, url).status, follow(service, new_url).status) == (404, 302)
    assert replayed.json()["metadata"] == body["metadata"]


def test_idempotency_replay_of_an_old_record_drops_presigned_urls(
    rows: Database, alice: Owner
) -> None:
    key = {"Idempotency_Key": "one"}
    alice.call("POST", "/v1/videos", {**VIDEO_BODY, "image": IMAGE}, **key)
    with rows.transaction() as cursor:
        cursor.execute(
            "UPDATE idempotency_keys SET body = regexp_replace(body, "
            '\'"reference_url":"[^"]*"\', \'"reference_url":"https://s3/x?X-Amz-a=b"\')'
        )
    replayed = alice.call("POST", "/v1/videos", {**VIDEO_BODY, "image": IMAGE}, **key)
    assert (replayed.status, replayed.json()["reference_url"]) == (202, None)


@pytest.mark.parametrize(("stage", "scheme"), [("local", "http"), ("prod", "https")])
def test_signed_link_scheme_ignores_forwarded_headers(
    alice: Owner,
    cold_start: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    scheme: str,
) -> None:
    monkeypatch.setenv("STAGE", stage)
    cold_start()
    for forwarded_proto in ("http", "https", "javascript", "ftp, https"):
        reply = alice.call("GET", "/v1/media", X_Forwarded_Proto=forwarded_proto)
        assert {urlsplit(url).scheme for url in links_in(reply.json())} == {scheme}
