"""URLs in headers and bodies include the stage, so that RFC 9110 resolution works."""

from urllib.parse import urljoin

import pytest

from tests.support.gateway import ADDRESS, Gateway

VIDEO = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
STORY = {"prompt": "A kite", "frameCount": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/videos", VIDEO), ("/api/generate_story", STORY)],
)
def test_location_header_resolves_to_the_accepted_resource(
    path: str, body: dict[str, object], gateway: Gateway
) -> None:
    accepted = gateway.call("POST", path, body, {"Prefer": "wait=0"})
    assert accepted.status == 202
    target = urljoin(ADDRESS + path, accepted.headers["Location"])
    assert target.startswith(f"{ADDRESS}/")
    response = gateway.call("GET", target.removeprefix(ADDRESS), headers={"Prefer": "wait=0"})
    assert response.status in (200, 202)
    if path.startswith("/api/"):
        assert accepted.json()["statusUrl"] == target
        assert response.headers["Location"] == target


def test_resume_response_has_the_location_of_the_video(gateway: Gateway) -> None:
    video_path = gateway.call("POST", "/v1/videos", VIDEO).json()["links"]["self"]
    assert gateway.call("POST", f"{video_path}/cancel").status == 200
    assert gateway.call("POST", f"{video_path}/resume").headers["Location"] == ADDRESS + video_path


def test_openapi_document_names_the_server_url(gateway: Gateway) -> None:
    document = gateway.call("GET", "/openapi.json").json()
    assert document["servers"] == [{"url": ADDRESS}]
