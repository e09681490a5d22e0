"""Requests as common HTTP clients write them: nulls, marks, lists, plus signs, charsets."""

import gzip
import json
from typing import Any

import pytest

from tests.support.gateway import Gateway

WISH = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
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
def test_a_null_counts_as_left_out(nulls: dict[str, Any], gateway: Gateway) -> None:
    made = gateway.call("POST", "/v1/videos", {**WISH, **nulls})
    assert made.status == 202, made.text
    plain = gateway.call("POST", "/v1/videos", WISH).json()
    for field in ("style", "mood", "ratio", "seconds_per_scene", "scene_count"):
        assert made.json()[field] == plain[field]
    assert None not in made.json()["metadata"].values()


def test_nulls_count_as_left_out_everywhere(gateway: Gateway) -> None:
    body = {
        "prompt": "A kite",
        "frameCount": None,
        "duration": None,
        "style": None,
        "expiresIn": None,
        "frameAspectRatio": None,
    }
    assert gateway.call("POST", "/api/generate_story", body, {"Prefer": "wait=0"}).status == 202
    assert gateway.call("POST", "/v1/estimates", {**WISH, "scenes": None}).status == 200
    here = gateway.call("POST", "/v1/videos", WISH).json()["links"]["self"]
    assert gateway.call("POST", f"{here}/cancel", {"provider": None}).status == 200
    assert gateway.call("POST", f"{here}/resume", text="null").status == 202


def test_what_must_be_there_may_not_be_null(gateway: Gateway) -> None:
    refused = gateway.call("POST", "/v1/videos", {**WISH, "prompt": None})
    assert refused.status == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/prompt"]
    misspelt = gateway.call("POST", "/v1/videos", {**WISH, "imageurl": None})
    assert (misspelt.status, misspelt.json()["errors"][0]["pointer"]) == (422, "/imageurl")


def test_a_byte_order_mark_is_no_part_of_the_json(gateway: Gateway) -> None:
    text = "\ufeff" + json.dumps(WISH)
    sent = {"Content-Type": "application/json; charset=utf-8"}
    assert gateway.call("POST", "/v1/videos", text=text, headers=sent).status == 202


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
def test_json_has_several_media_types(media_type: str, gateway: Gateway) -> None:
    sent = {"Content-Type": media_type} if media_type else {}
    assert gateway.call("POST", "/v1/videos", text=json.dumps(WISH), headers=sent).status == 202


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
def test_other_charsets_and_encodings_are_named(
    headers: dict[str, str], word: str, gateway: Gateway
) -> None:
    text = json.dumps(WISH)
    if "gzip" in headers.values():
        text = gzip.compress(text.encode()).decode(errors="replace")  # as a gateway passes it on
    sent = {"Content-Type": "application/json", **headers}
    refused = gateway.call("POST", "/v1/videos", text=text, headers=sent)
    assert (refused.status, refused.json()["code"]) == (415, "request.media_type")
    assert word in refused.json()["detail"]


def test_an_uncompressed_body_may_say_so(gateway: Gateway) -> None:
    assert gateway.call("POST", "/v1/videos", WISH, {"Content-Encoding": "identity"}).status == 202


def test_text_of_another_charset_is_not_made_a_prompt(gateway: Gateway) -> None:
    text = b'{"prompt": "caf\xe9", "scenes": 1}'.decode(errors="replace")
    refused = gateway.call("POST", "/v1/videos", text=text)
    assert (refused.status, refused.json()["code"]) == (400, "request.malformed")
    assert "UTF-8" in refused.json()["detail"]
    escaped = json.dumps({**WISH, "prompt": "a \ufffd b"})
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
def test_lists_are_read_as_axios_and_php_write_them(query: str, gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", WISH)
    assert len(gateway.call("GET", f"/v1/videos?{query}").json()["data"]) == 1
    only = query.replace("queued", "canceled")
    assert gateway.call("GET", f"/v1/videos?{only}").json()["data"] == []


def test_what_keeps_a_get_out_of_caches_means_nothing(gateway: Gateway) -> None:
    assert gateway.call("GET", "/v1/videos?_=1735689600000").status == 200
    for unknown in ("statsu[]=failed", "x_=1", "[]=a", "__=1"):
        refused = gateway.call("GET", f"/v1/videos?{unknown}")
        assert (refused.status, len(refused.json()["errors"])) == (422, 1), unknown


def test_a_parameter_that_is_empty_counts_as_left_out(gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", WISH)
    for empty in ("q=", "limit=&cursor=&created_after=", "status=", "status[]=&q="):
        found = gateway.call("GET", f"/v1/videos?{empty}")
        assert (found.status, len(found.json().get("data", []))) == (200, 1), found.text
    assert gateway.call("GET", "/v1/videos?statsu=").status == 422


@pytest.mark.parametrize("number", ["1.0", "1", "10e-1", "1E0"])
def test_a_whole_number_may_be_written_as_any_json_number(number: str, gateway: Gateway) -> None:
    text = json.dumps({**WISH, "scenes": 0}).replace('"scenes": 0', f'"scenes": {number}')
    sent = {"Content-Type": "application/json"}
    made = gateway.call("POST", "/v1/videos", text=text, headers=sent)
    assert (made.status, made.json()["scene_count"]) == (202, 1)
    text = text.replace(f'"scenes": {number}', '"scenes": 1.5')
    assert gateway.call("POST", "/v1/videos", text=text, headers=sent).status == 422


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/media"])
def test_a_plus_that_came_as_a_space_is_one(path: str, gateway: Gateway) -> None:
    gateway.call("POST", "/v1/videos", WISH)
    for moment in (
        "2020-01-01T05:00:00+01:00",
        "2020-01-01T05:00:00.123+01:00",
        "2020-01-01T05:00+0100",
        "2020-01-01T05:00:00%2B01:00",
        "2020-01-01T05:00:00Z",
    ):
        found = gateway.call("GET", f"{path}?created_after={moment}")
        assert found.status == 200, found.text
    hour = "2020-01-01T05:00:00+01:00"
    assert gateway.call("GET", f"{path}?created_before={hour}").json()["data"] == []
    for wrong in ("2020-01-01 05:00:00 01:00 ", "yesterday+01:00"):
        assert gateway.call("GET", f"{path}?created_after={wrong}").status == 422


@pytest.mark.parametrize("tag", ["pt_BR", "pt-BR", "zh_Hans_CN", "de_DE.UTF-8", "en-US-u-hc-h12"])
def test_a_locale_is_a_language_tag(tag: str, gateway: Gateway) -> None:
    body = {**WISH, "output": {"narration": {"language": tag}}}
    made = gateway.call("POST", "/v1/videos", body)
    assert made.status == 202, made.text
    kept = made.json()["requested_output"]["narration"]["language"]
    assert kept == tag.replace("_", "-").removesuffix(".UTF-8")
