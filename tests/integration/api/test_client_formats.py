"""Requests in the formats of common HTTP clients: nulls, byte order marks, lists, charsets."""

import gzip
import json
from typing import Any

import pytest

from tests.support.gateway import Gateway

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
NULLS: dict[str, Any] = dict.fromkeys(
    (
        "style",
        "mood",
        "ratio",
        "image",
        "image_id",
        "image_url",
        "models",
        "output",
        "max_cost",
        "on_unknown",
        "seed",
        "userId",
        "requestId",
        "metadata",
    )
)
DEEP_NULLS = {
    "models": {"text": None, "image": {"provider": "offline", "model": None}},
    "output": {
        "format": None,
        "fit": None,
        "captions": {"burn": None},
        "music": None,
        "fps": None,
        "narration": {"voice": None, "language": None},
        "renditions": None,
        "preview": None,
    },
    "metadata": {"order": "4711", "note": None},
}


@pytest.mark.parametrize("nulls", [NULLS, DEEP_NULLS], ids=["all", "deep"])
def test_null_fields_count_as_omitted(nulls: dict[str, Any], gateway: Gateway) -> None:
    created = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, **nulls})
    assert created.status == 202, created.text
    without_nulls = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    for field in ("style", "mood", "ratio", "seconds_per_scene", "scene_count"):
        assert created.json()[field] == without_nulls[field]
    assert None not in created.json()["metadata"].values()


def test_null_fields_count_as_omitted_in_every_operation(gateway: Gateway) -> None:
    body = {
        "prompt": "A kite",
        "frameCount": None,
        "duration": None,
        "style": None,
        "expiresIn": None,
        "frameAspectRatio": None,
    }
    assert gateway.call("POST", "/api/generate_story", body, {"Prefer": "wait=0"}).status == 202
    assert gateway.call("POST", "/v1/estimates", {**VIDEO_BODY, "scenes": None}).status == 200
    video_path = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()["links"]["self"]
    assert gateway.call("POST", f"{video_path}/cancel", {"provider": None}).status == 200
    assert gateway.call("POST", f"{video_path}/resume", text="null").status == 202


def test_required_field_cannot_be_null(gateway: Gateway) -> None:
    rejected = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "prompt": None})
    assert rejected.status == 422
    assert [fault["pointer"] for fault in rejected.json()["errors"]] == ["/prompt"]
    misspelt = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "imageurl": None})
    assert (misspelt.status, misspelt.json()["errors"][0]["pointer"]) == (422, "/imageurl")


def test_byte_order_mark_before_json_is_ignored(gateway: Gateway) -> None:
    text = "\ufeff" + json.dumps(VIDEO_BODY)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert gateway.call("POST", "/v1/videos", text=text, headers=headers).status == 202


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json;charset=UTF-8",
        'Application/JSON; charset="utf-8"',
        "application/vnd.api+json",
        "text/json",
        "application/json; charset=us-ascii",
        "",
    ],
)
def test_json_media_types_are_accepted(media_type: str, gateway: Gateway) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    assert (
        gateway.call("POST", "/v1/videos", text=json.dumps(VIDEO_BODY), headers=headers).status
        == 202
    )


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Content-Type": "application/json; charset=iso-8859-1"}, "iso-8859-1"),
        ({"Content-Type": "application/json; charset=utf-16"}, "utf-16"),
        ({"Content-Encoding": "gzip"}, "gzip"),
        ({"content-encoding": "BR"}, "br"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/json"),
        ({"Content-Type": "text/plain"}, "application/json"),
    ],
)
def test_unsupported_charset_or_encoding_is_named(
    headers: dict[str, str], word: str, gateway: Gateway
) -> None:
    text = json.dumps(VIDEO_BODY)
    if "gzip" in headers.values():
        text = gzip.compress(text.encode()).decode(errors="replace")  # as a gateway passes it on
    request_headers = {"Content-Type": "application/json", **headers}
    rejected = gateway.call("POST", "/v1/videos", text=text, headers=request_headers)
    assert (rejected.status, rejected.json()["code"]) == (415, "request.media_type")
    assert word in rejected.json()["detail"]


def test_content_encoding_identity_is_accepted(gateway: Gateway) -> None:
    assert (
        gateway.call("POST", "/v1/videos", VIDEO_BODY, {"Content-Encoding": "identity"}).status
        == 202
    )


def test_body_that_is_not_utf_8_is_rejected(gateway: Gateway) -> None:
    text = b'{"prompt": "caf\xe9", "scenes": 1}'.decode(errors="replace")
    rejected = gateway.call("POST", "/v1/videos", text=text)
    assert (rejected.status, rejected.json()["code"]) == (400, "request.malformed")
    assert "UTF-8" in rejected.json()["detail"]
    escaped = json.dumps({**VIDEO_BODY, "prompt": "a \ufffd b"})
    assert gateway.call("POST", "/v1/videos", text=escaped).status == 202


@pytest.mark.parametrize(
    "query",
    [
        "status[]=failed&status[]=queued",
        "status%5B%5D=failed&status%5B%5D=queued",
        "status[0]=failed&status[1]=queued",
        "status=failed&status[]=queued",
    ],
)
def test_list_parameters_are_parsed_in_axios_and_php_style(query: str, gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", VIDEO_BODY)
    assert len(gateway.call("GET", f"/v1/videos?{query}").json()["data"]) == 1
    only = query.replace("queued", "canceled")
    assert gateway.call("GET", f"/v1/videos?{only}").json()["data"] == []


def test_cache_busting_parameter_is_ignored(gateway: Gateway) -> None:
    assert gateway.call("GET", "/v1/videos?_=1735689600000").status == 200
    for unknown in ("statsu[]=failed", "x_=1", "[]=a", "__=1"):
        rejected = gateway.call("GET", f"/v1/videos?{unknown}")
        assert (rejected.status, len(rejected.json()["errors"])) == (422, 1), unknown


def test_empty_query_parameter_counts_as_omitted(gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", VIDEO_BODY)
    for empty in ("q=", "limit=&cursor=&created_after=", "status=", "status[]=&q="):
        response = gateway.call("GET", f"/v1/videos?{empty}")
        assert (response.status, len(response.json().get("data", []))) == (200, 1), response.text
    assert gateway.call("GET", "/v1/videos?statsu=").status == 422


@pytest.mark.parametrize("number", ["1.0", "1", "10e-1", "1E0"])
def test_integer_may_be_written_as_any_json_number(number: str, gateway: Gateway) -> None:
    text = json.dumps({**VIDEO_BODY, "scenes": 0}).replace('"scenes": 0', f'"scenes": {number}')
    headers = {"Content-Type": "application/json"}
    created = gateway.call("POST", "/v1/videos", text=text, headers=headers)
    assert (created.status, created.json()["scene_count"]) == (202, 1)
    text = text.replace(f'"scenes": {number}', '"scenes": 1.5')
    assert gateway.call("POST", "/v1/videos", text=text, headers=headers).status == 422


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/media"])
def test_plus_decoded_as_space_in_a_time_offset_is_accepted(path: str, gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", VIDEO_BODY)
    for moment in (
        "2020-01-01T05:00:00+01:00",
        "2020-01-01T05:00:00.123+01:00",
        "2020-01-01T05:00+0100",
        "2020-01-01T05:00:00%2B01:00",
        "2020-01-01T05:00:00Z",
    ):
        response = gateway.call("GET", f"{path}?created_after={moment}")
        assert response.status == 200, response.text
    hour = "2020-01-01T05:00:00+01:00"
    assert gateway.call("GET", f"{path}?created_before={hour}").json()["data"] == []
    for invalid in ("2020-01-01 05:00:00 01:00 ", "yesterday+01:00"):
        assert gateway.call("GET", f"{path}?created_after={invalid}").status == 422


@pytest.mark.parametrize("tag", ["pt_BR", "pt-BR", "zh_Hans_CN", "de_DE.UTF-8", "en-US-u-hc-h12"])
def test_locale_is_converted_to_a_language_tag(tag: str, gateway: Gateway) -> None:
    body = {**VIDEO_BODY, "output": {"narration": {"language": tag}}}
    created = gateway.call("POST", "/v1/videos", body)
    assert created.status == 202, created.text
    language = created.json()["requested_output"]["narration"]["language"]
    assert language == tag.replace("_", "-").removesuffix(".UTF-8")
