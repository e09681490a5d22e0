"""SSRF: no URL in a request or in the inbox makes the service connect to an internal address.

All addresses lead to one canary host, which records lookups and connections. The fields are those
of the OpenAPI document, and the inbox. Rebinding, certificates and timeouts of the HTTPS client
are tested in `tests/integration/fetch/test_https.py`.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from common.database import Database
from common.fetch.https import SafeHttpsClient
from common.schemas.problem import MAX_FIELD_ERRORS
from common.storage.inbox_keys import InboxObject
from intake.reception import Intake
from tests.integration.http import owners
from tests.integration.http.owners import Owner
from tests.integration.http.request import BODIES, IMAGE_BYTES, VIDEO_BODY, fields, with_field
from tests.integration.http.service import Service
from tests.stand_ins.foreign_host import PUBLIC, ForeignHost, Page, serve
from tests.support.answers import OPERATIONS
from tests.support.fixtures import BUCKET
from tests.support.ssrf import ADDRESSES, WRITTEN

NAMES = {"image", "images", "imageUrl", "image_url", "startImage"}
LOCATIONS = sorted(
    (operation.path, name)
    for operation in OPERATIONS
    if operation.body
    for name in NAMES & set(fields(operation.body))
)
# Fields whose URL is fetched. All others take an inline image, a media object of the caller, or,
# in an estimate, are not read.
FETCHED = {
    ("/v1/videos", "image_url"),
    ("/api/generate_single_image", "image"),
    ("/api/generate_single_video_clip", "startImage"),
    ("/api/public/generate-images", "image"),
    ("/api/public/generate-video", "images"),
}
PUBLIC_URL, INTERNAL_URL = "https://pictures.example/a.png", "https://inner.example/a.png"


@pytest.fixture(scope="module")
def running_host() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def canary(running_host: ForeignHost, monkeypatch: pytest.MonkeyPatch) -> ForeignHost:
    """The only host that the service can reach, under every name and address."""
    running_host.forget()
    running_host.names["pictures.example"] = [PUBLIC]
    running_host.pages["/a.png"] = Page(IMAGE_BYTES)
    running_host.pages["/r"] = Page(status=302, headers={"Location": INTERNAL_URL})
    fetch, client = SafeHttpsClient.fetch, running_host.way
    monkeypatch.setattr(SafeHttpsClient, "fetch", lambda _, url, **how: fetch(client, url, **how))
    return running_host


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return owners.create_owner(service, rows, "alice")


def send(service: Service, owner: Owner, location: tuple[str, str], url: str) -> int:
    path, name = location
    body = with_field(BODIES["POST", path], name, url)
    if name == "imageUrl":
        del body["id"]
    return service.call("POST", path, body, key=owner.key, headers={"Prefer": "wait=0"}).status


def test_ssrf_vectors_and_locations_are_complete() -> None:
    assert len(set(WRITTEN)) > 60
    assert set(LOCATIONS) >= FETCHED


def test_ssrf_control_public_url_is_fetched(
    service: Service, alice: Owner, canary: ForeignHost
) -> None:
    """Positive control: the fields tested below do reach the canary."""
    fetched = set()
    for location in LOCATIONS:
        canary.requests.clear()
        status = send(service, alice, location, PUBLIC_URL)
        if canary.requests:
            fetched.add(location)
            assert status == 202, location
    assert fetched == FETCHED


@pytest.mark.parametrize("location", LOCATIONS, ids=" ".join)
def test_ssrf_request_url_never_reaches_an_internal_address(
    service: Service, alice: Owner, canary: ForeignHost, location: tuple[str, str]
) -> None:
    for url in WRITTEN:
        status = send(service, alice, location, url)
        # An estimate counts images without reading them.
        assert status in (400, 404, 422) or location[0] == "/v1/estimates", (
            f"{location} accepted {url!r}"
        )
        assert (canary.lookups, canary.connections) == ([], []), f"{location} connected to {url!r}"
    for address in ADDRESSES:
        canary.names["inner.example"] = [PUBLIC, address]
        status = send(service, alice, location, INTERNAL_URL)
        assert status in (400, 404, 422) or location not in FETCHED, (
            f"{location} accepted {address}"
        )
        assert canary.connections == [], f"{location} connected to {address}"
        if location in FETCHED:  # also by a redirect of a public host
            assert send(service, alice, location, "https://pictures.example/r") in (400, 422)
            assert canary.requests == [("pictures.example", "/r")], f"{location}: {address}"
            canary.requests.clear()
            canary.connections.clear()


def test_ssrf_inbox_url_never_reaches_an_internal_address(
    receiver: Intake, rows: Database, alice: Owner, canary: ForeignHost
) -> None:
    names = {f"inner{number}.example": [address] for number, address in enumerate(ADDRESSES)}
    canary.names.update(names)
    urls = [*WRITTEN, *(f"https://{host}/a.png" for host in names)]
    # A job that cannot be parsed ends its batch before other URLs are tried.
    unparsable = [url for url in urls if len(url) > 2000 or "\0" in url]
    parsable = [url for url in urls if url not in unparsable]
    for start in range(0, len(parsable), MAX_FIELD_ERRORS):  # a response lists no more faults
        batch = parsable[start : start + MAX_FIELD_ERRORS]
        assert rejected_lines(receiver, rows, alice, batch) == {
            str(line) for line in range(1, len(batch) + 1)
        }
    for url in unparsable:
        assert rejected_lines(receiver, rows, alice, [url]) == {"1"}
    assert (canary.connections, canary.requests) == ([], [])
    assert rejected_lines(receiver, rows, alice, [PUBLIC_URL]) == set()  # positive control
    assert canary.requests == [("pictures.example", "/a.png")]


@pytest.mark.parametrize("limit", ["_MOST_FETCH_SECONDS", "_MOST_HELD_BYTES"])
def test_inbox_batch_with_too_many_images_is_rejected_whole(
    receiver: Intake,
    rows: Database,
    alice: Owner,
    canary: ForeignHost,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    monkeypatch.setattr(f"intake.reception.{limit}", 0)
    problem = batch_problem(receiver, rows, alice, [PUBLIC_URL, PUBLIC_URL])
    assert problem is not None
    assert problem["code"] == "inbox.pictures"
    assert canary.requests == [("pictures.example", "/a.png")]  # the batch stops there
    with rows.transaction() as cursor:
        cursor.execute("SELECT count(*) AS number FROM inbox_jobs")
        assert dict(cursor.fetchone() or {}) == {"number": 0}


def rejected_lines(receiver: Intake, rows: Database, owner: Owner, urls: list[str]) -> set[str]:
    """Return the numbers of the lines of a batch that were rejected."""
    problem = batch_problem(receiver, rows, owner, urls)
    return {fault["pointer"].split("/")[1] for fault in problem["errors"]} if problem else set()


def batch_problem(
    receiver: Intake, rows: Database, owner: Owner, urls: list[str]
) -> dict[str, Any] | None:
    """Upload a batch to the inbox and process it; return its problem, if any."""
    storage = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    key = f"inbox/{owner.user_id}/many.jsonl"
    jobs = "\n".join(json.dumps({**VIDEO_BODY, "image_url": url}) for url in urls)
    stored = storage.put_object(Bucket=BUCKET, Key=key, Body=jobs.encode())
    inbox_file = InboxObject(BUCKET, key, stored["VersionId"])
    receiver.receive(inbox_file, last=True)
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT problem FROM inbox_objects WHERE version_id = %s", (inbox_file.version_id,)
        )
        (row,) = cursor.fetchall()
    problem: dict[str, Any] | None = row["problem"]
    return problem
