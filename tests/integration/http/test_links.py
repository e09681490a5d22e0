"""Links to media: every one that the API gives out leads through it, and can be ended."""

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
from tests.integration.http.conftest import BUCKET
from tests.integration.http.owners import make, mint, video
from tests.integration.http.request import PICTURE, WISH
from tests.integration.http.service import Service
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
    """A user with a key, and a finished video that has one of every file."""

    def __init__(self, service: Service, rows: Database, user_id: str) -> None:
        self.service, self.rows, self.user_id = service, rows, user_id
        self.key_id, self.key = mint(rows, user_id)
        self.video_id = ids.new("vid")
        self.folder = f"{user_id}/{self.video_id}"
        reference = f"{self.folder}/user-uploads/reference_image_1.png"
        video(
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
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.call(method, path, body, key=self.key, headers=sent)

    def shown(self) -> Any:
        return self.call("GET", f"/v1/videos/{self.video_id}").json()


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return Owner(service, rows, "alice")


@pytest.fixture
def bob(service: Service, rows: Database) -> Owner:
    return Owner(service, rows, "bob")


def links_in(value: Any) -> Iterator[str]:
    """Yield every URL in an answer, wherever it stands."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from links_in(inner)
    elif isinstance(value, str) and "://" in value:
        yield value


def follow(service: Service, url: str, method: str = "GET", more: str = "") -> Reply:
    link = urlsplit(url)
    return service.send(method, f"{link.path.removeprefix('/live')}?{link.query}{more}", {}, None)


def key_of(url: str) -> str:
    return unquote(urlsplit(url).path.split("/api/proxy_s3_")[1].partition("/")[2])


def every_link(owner: Owner, rows: Database) -> list[str]:
    """Ask everything that gives out links; return them all."""
    path = f"/v1/videos/{owner.video_id}"
    asked = [
        owner.call("GET", path),
        owner.call("GET", f"{path}/download"),
        owner.call("GET", "/v1/media"),
        owner.call("POST", "/api/upload_image", {"image": PICTURE, "expiresIn": 86_400}),
    ]
    for item in asked[2].json()["data"]:
        query = f"id={item['id']}&expiresIn=86400"
        asked.append(owner.call("GET", f"/api/get_presigned_url?{query}"))
        asked.append(owner.call("GET", f"/v1/media/{item['id']}"))
    started = owner.call(
        "POST",
        "/api/generate_single_image",
        {"prompt": "A kite", "expiresIn": 86_400},
        Prefer="wait=0",
    )
    _, run_id = started.json()["statusUrl"].rsplit("/", 1)
    make(rows, run_id, owner)  # type: ignore[arg-type]  # what it needs of an owner
    asked.append(owner.call("GET", f"/api/runs/{run_id}"))
    for reply in asked:
        assert reply.status == 200, reply.text
    return [url for reply in asked for url in links_in(reply.json())]


def test_every_link_leads_through_the_api_and_ends(
    service: Service, rows: Database, alice: Owner, bob: Owner
) -> None:
    links, theirs = every_link(alice, rows), every_link(bob, rows)
    assert {key_of(url) for url in links} >= alice.keys
    assert not [url for url in links if "X-Amz" in url or "/api/proxy_s3_" not in url]
    for url in [*links, *theirs]:
        assert follow(service, url).status == 302, url
    assert alice.call("DELETE", "/v1/media/links").status == 204
    for url in links:
        for method in ("GET", "HEAD"):
            assert follow(service, url, method).status == 404, url
    for url in theirs:
        assert follow(service, url).status == 302, url
    for url in links_in(alice.shown()):  # fresh ones
        assert follow(service, url).status == 302, url


def test_a_link_is_read_whole_in_part_and_by_head(service: Service, alice: Owner) -> None:
    shown = alice.shown()
    links = list(links_in(shown))
    assert {key_of(url) for url in links} == alice.keys
    for url in links:
        target = follow(service, url).headers["Location"]
        assert int(parse_qs(urlsplit(target).query)["X-Amz-Expires"][0]) <= 300
        assert requests.get(target, timeout=30).content == b"0123456789"
        part = requests.get(target, headers={"Range": "bytes=2-4"}, timeout=30)
        assert (part.status_code, part.content) == (206, b"234")
        head = follow(service, url, "HEAD")
        assert (head.status, "Content-Length" in head.headers) == (302, False), url
        facts = requests.head(head.headers["Location"], timeout=30)
        assert (facts.status_code, facts.headers["Content-Length"]) == (200, "10"), url
        assert facts.headers["Accept-Ranges"] == "bytes"


def test_a_download_has_the_name_of_the_video(service: Service, alice: Owner) -> None:
    download = alice.call("GET", f"/v1/videos/{alice.video_id}/download").json()
    assert follow(service, download["url"], "HEAD").status == 302
    target = follow(service, download["url"]).headers["Location"]
    named = requests.get(target, timeout=30).headers["Content-Disposition"]
    assert named.startswith("attachment;")
    assert unquote(named.partition("''")[2]) == download["filename"]
    poster = alice.shown()["output"]["poster_url"]
    for more, wanted in (("&download=true", True), ("&download=x", False), ("&a=b", False)):
        target = follow(service, poster, more=more).headers["Location"]
        assert ("response-content-disposition" in target) is wanted


def test_a_link_opens_its_own_file_only(service: Service, alice: Owner, bob: Owner) -> None:
    by_key = {key_of(url): url for url in links_in(alice.shown())}
    others = {*by_key, *(key_of(url) for url in links_in(bob.shown()))}
    for key, url in by_key.items():
        query = url.partition("?")[2]
        for other in others - {key}:
            for kind in ("image", "video"):
                reply = service.send("GET", f"/api/proxy_s3_{kind}/{other}?{query}", {}, None)
                assert reply.status == 404, (key, other)
        wrong = "video" if "proxy_s3_image" in url else "image"
        assert service.send("GET", f"/api/proxy_s3_{wrong}/{key}?{query}", {}, None).status == 404


def test_a_link_to_a_file_ends_with_its_video(service: Service, alice: Owner) -> None:
    links = list(links_in(alice.shown()))
    assert alice.call("DELETE", f"/v1/videos/{alice.video_id}").status == 204
    for url in links:
        assert follow(service, url).status == 404


def test_what_is_kept_for_a_repetition_opens_nothing(
    service: Service, rows: Database, alice: Owner
) -> None:
    key = {"Idempotency_Key": "one"}
    body = {**WISH, "image": PICTURE, "metadata": {"url": "bob/v/user-uploads/a.png"}}
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
    again = alice.call("POST", "/v1/videos", body, **key)
    assert again.headers["Idempotent-Replayed"] == "true"
    fresh = again.json()["reference_url"]
    assert {**first.json(), "reference_url": ""} == {**again.json(), "reference_url": ""}
    assert (follow(service, url).status, follow(service, fresh).status) == (404, 302)
    assert again.json()["metadata"] == body["metadata"]


def test_an_answer_of_an_earlier_release_loses_its_presigned_links(
    rows: Database, alice: Owner
) -> None:
    key = {"Idempotency_Key": "one"}
    alice.call("POST", "/v1/videos", {**WISH, "image": PICTURE}, **key)
    with rows.transaction() as cursor:
        cursor.execute(
            "UPDATE idempotency_keys SET body = regexp_replace(body, "
            '\'"reference_url":"[^"]*"\', \'"reference_url":"https://s3/x?X-Amz-a=b"\')'
        )
    again = alice.call("POST", "/v1/videos", {**WISH, "image": PICTURE}, **key)
    assert (again.status, again.json()["reference_url"]) == (202, None)


@pytest.mark.parametrize(("stage", "scheme"), [("local", "http"), ("prod", "https")])
def test_the_scheme_of_links_is_not_the_client_s(
    alice: Owner,
    again: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    scheme: str,
) -> None:
    monkeypatch.setenv("STAGE", stage)
    again()
    for sent in ("http", "https", "javascript", "ftp, https"):
        reply = alice.call("GET", "/v1/media", X_Forwarded_Proto=sent)
        assert {urlsplit(url).scheme for url in links_in(reply.json())} == {scheme}
