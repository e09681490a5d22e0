"""Every address in a header can be followed as RFC 9110 says: it has the stage in it."""

from urllib.parse import urljoin

import pytest

from tests.support.gateway import ADDRESS, Gateway

VIDEO = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
STORY = {"prompt": "A kite", "frameCount": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/videos", VIDEO), ("/api/generate_story", STORY)],
)
def test_a_location_leads_to_what_was_accepted(
    path: str, body: dict[str, object], gateway: Gateway
) -> None:
    accepted = gateway.call("POST", path, body, {"Prefer": "wait=0"})
    assert accepted.status == 202
    target = urljoin(ADDRESS + path, accepted.headers["Location"])
    assert target.startswith(f"{ADDRESS}/")
    there = gateway.call("GET", target.removeprefix(ADDRESS), headers={"Prefer": "wait=0"})
    assert there.status in (200, 202)
    if path.startswith("/api/"):
        assert accepted.json()["statusUrl"] == target
        assert there.headers["Location"] == target


def test_a_resumed_video_says_where_it_is(gateway: Gateway) -> None:
    here = gateway.call("POST", "/v1/videos", VIDEO).json()["links"]["self"]
    assert gateway.call("POST", f"{here}/cancel").status == 200
    assert gateway.call("POST", f"{here}/resume").headers["Location"] == ADDRESS + here


def test_the_document_says_where_the_api_is(gateway: Gateway) -> None:
    document = gateway.call("GET", "/openapi.json").json()
    assert document["servers"] == [{"url": ADDRESS}]
