"""Every place that takes a URL: nothing that a client writes leads to a neighbour of the service.

Every address leads to one canary, which counts who connects, and asks who resolves a name. Places
are those of the OpenAPI document, and the inbox. What else the one module does that visits foreign
hosts (rebinding, certificates, clocks) is in `tests/integration/fetch/test_https.py`.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from common.database import Database
from common.fetch.https import SafeHttpsClient
from common.schemas.problem import MAX_FAULTS
from common.storage.inbox_keys import InboxObject
from intake.reception import Intake
from tests.integration.http import owners
from tests.integration.http.conftest import BUCKET
from tests.integration.http.owners import Owner
from tests.integration.http.request import BODIES, PICTURE_BYTES, WISH, fields, named_in
from tests.integration.http.service import Service
from tests.stand_ins.foreign_host import PUBLIC, ForeignHost, Page, serve
from tests.support.answers import OPERATIONS
from tests.support.ssrf import ADDRESSES, WRITTEN

NAMES = {"image", "images", "imageUrl", "image_url", "startImage"}
PLACES = sorted(
    (operation.path, name)
    for operation in OPERATIONS
    if operation.body
    for name in NAMES & set(fields(operation.body))
)
# Where a URL is followed. Everywhere else a picture is inline, or the caller's own, or not looked
# at, as by an estimate.
FOLLOWED = {
    ("/v1/videos", "image_url"),
    ("/api/generate_single_image", "image"),
    ("/api/generate_single_video_clip", "startImage"),
    ("/api/public/generate-images", "image"),
    ("/api/public/generate-video", "images"),
}
GOOD, INNER = "https://pictures.example/a.png", "https://inner.example/a.png"


@pytest.fixture(scope="module")
def running() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def canary(running: ForeignHost, monkeypatch: pytest.MonkeyPatch) -> ForeignHost:
    """The only host that the service can reach, under every name and address."""
    running.forget()
    running.names["pictures.example"] = [PUBLIC]
    running.pages["/a.png"] = Page(PICTURE_BYTES)
    running.pages["/r"] = Page(status=302, headers={"Location": INNER})
    visit, way = SafeHttpsClient.fetch, running.way
    monkeypatch.setattr(SafeHttpsClient, "fetch", lambda _, url, **how: visit(way, url, **how))
    return running


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return owners.settle(service, rows, "alice")


def send(service: Service, owner: Owner, place: tuple[str, str], url: str) -> int:
    path, name = place
    body = named_in(BODIES["POST", path], name, url)
    if name == "imageUrl":
        del body["id"]
    return service.call("POST", path, body, key=owner.key, headers={"Prefer": "wait=0"}).status


def test_there_are_more_than_sixty_vectors_and_all_places_are_known() -> None:
    assert len(set(WRITTEN)) > 60
    assert set(PLACES) >= FOLLOWED


def test_a_good_url_is_followed_there_and_nowhere_else(
    service: Service, alice: Owner, canary: ForeignHost
) -> None:
    """The control: what is tried below would reach the canary."""
    followed = set()
    for place in PLACES:
        canary.requests.clear()
        status = send(service, alice, place, GOOD)
        if canary.requests:
            followed.add(place)
            assert status == 202, place
    assert followed == FOLLOWED


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_no_url_leads_to_a_neighbour(
    service: Service, alice: Owner, canary: ForeignHost, place: tuple[str, str]
) -> None:
    for url in WRITTEN:
        status = send(service, alice, place, url)
        # An estimate takes any picture for one, and looks at none.
        assert status in (400, 404, 422) or place[0] == "/v1/estimates", f"{place} took {url!r}"
        assert (canary.lookups, canary.connections) == ([], []), f"{place} visited {url!r}"
    for address in ADDRESSES:
        canary.names["inner.example"] = [PUBLIC, address]
        status = send(service, alice, place, INNER)
        assert status in (400, 404, 422) or place not in FOLLOWED, f"{place} took {address}"
        assert canary.connections == [], f"{place} visited {address}"
        if place in FOLLOWED:  # and by a redirect of a host that may be visited
            assert send(service, alice, place, "https://pictures.example/r") in (400, 422)
            assert canary.requests == [("pictures.example", "/r")], f"{place}: {address}"
            canary.requests.clear()
            canary.connections.clear()


def test_no_url_in_the_inbox_leads_to_a_neighbour(
    receiver: Intake, rows: Database, alice: Owner, canary: ForeignHost
) -> None:
    named = {f"inner{number}.example": [address] for number, address in enumerate(ADDRESSES)}
    canary.names.update(named)
    urls = [*WRITTEN, *(f"https://{host}/a.png" for host in named)]
    # A job that is wrong as it is written hides the others of its batch, which are not tried then.
    written = [url for url in urls if len(url) > 2000 or "\0" in url]
    tried = [url for url in urls if url not in written]
    for start in range(0, len(tried), MAX_FAULTS):  # a refusal lists no more
        part = tried[start : start + MAX_FAULTS]
        assert refused(receiver, rows, alice, part) == {
            str(line) for line in range(1, len(part) + 1)
        }
    for url in written:
        assert refused(receiver, rows, alice, [url]) == {"1"}
    assert (canary.connections, canary.requests) == ([], [])
    assert refused(receiver, rows, alice, [GOOD]) == set()  # the control
    assert canary.requests == [("pictures.example", "/a.png")]


@pytest.mark.parametrize("limit", ["_MOST_FETCH_SECONDS", "_MOST_HELD_BYTES"])
def test_a_batch_of_too_many_pictures_is_refused_whole(
    receiver: Intake,
    rows: Database,
    alice: Owner,
    canary: ForeignHost,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    monkeypatch.setattr(f"intake.reception.{limit}", 0)
    problem = answered(receiver, rows, alice, [GOOD, GOOD])
    assert problem is not None
    assert problem["code"] == "inbox.pictures"
    assert canary.requests == [("pictures.example", "/a.png")]  # and no further
    with rows.transaction() as cursor:
        cursor.execute("SELECT count(*) AS number FROM inbox_jobs")
        assert dict(cursor.fetchone() or {}) == {"number": 0}


def refused(receiver: Intake, rows: Database, owner: Owner, urls: list[str]) -> set[str]:
    """Return which lines of a batch were refused."""
    problem = answered(receiver, rows, owner, urls)
    return {fault["pointer"].split("/")[1] for fault in problem["errors"]} if problem else set()


def answered(
    receiver: Intake, rows: Database, owner: Owner, urls: list[str]
) -> dict[str, Any] | None:
    """Put a batch into the inbox and let it be taken in; return what was wrong with it."""
    storage = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    key = f"inbox/{owner.user_id}/many.jsonl"
    jobs = "\n".join(json.dumps({**WISH, "image_url": url}) for url in urls)
    stored = storage.put_object(Bucket=BUCKET, Key=key, Body=jobs.encode())
    dropped = InboxObject(BUCKET, key, stored["VersionId"])
    receiver.receive(dropped, last=True)
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT problem FROM inbox_objects WHERE version_id = %s", (dropped.version_id,)
        )
        (row,) = cursor.fetchall()
    problem: dict[str, Any] | None = row["problem"]
    return problem
