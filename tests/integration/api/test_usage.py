"""Usage by day and key: counts, costs, retention and visibility."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, budget, keys, runs
from common.database.budget import Caps
from common.database.keys import ApiKey
from tests.support.gateway import Gateway

KEYS = {"key_" + letter * 26: user for letter, user in (("A", "ann"), ("B", "bob"), ("C", "ann"))}
A, B, C = KEYS
VIDEO_BODY = {"prompt": "A kite", "scenes": 1, "seconds": 2}


@pytest.fixture
def gateway_with_keys(gateway: Gateway, database: Database) -> Gateway:
    """The API with two keys of ann and one of bob."""
    with database.transaction() as cursor:
        for n, (key_id, user) in enumerate(KEYS.items()):
            row = ApiKey(key_id, user, f"key {n}", True, [], ["*"], 60, 1000, 10)
            keys.insert(cursor, row, digest=bytes([n]), prefix="vg_live_", expires_at=None)
    return gateway


def usage(gateway: Gateway, key_id: str, query: str = "", **caller: str) -> dict[str, Any]:
    gateway.key_id, gateway.user_id = key_id, KEYS.get(key_id, "root")
    gateway.scopes = caller.get("scopes", "")
    reply = gateway.call("GET", f"/v1/usage{query}")
    assert reply.status == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def send_requests(gateway: Gateway, key_id: str, times: int) -> None:
    gateway.key_id, gateway.user_id = key_id, KEYS[key_id]
    for _ in range(times):
        assert gateway.call("GET", "/v1/models").status == 200


def test_usage_outlives_a_deleted_video(gateway_with_keys: Gateway, database: Database) -> None:
    today = str(datetime.now(UTC).date())
    send_requests(gateway_with_keys, A, 2)
    video = gateway_with_keys.call("POST", "/v1/videos", VIDEO_BODY).json()
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps(A, None, None, None), Decimal("0.75"))
        cursor.execute("UPDATE runs SET reserved_usd = 0.75 WHERE run_id = %s", (video["run_id"],))
    before = usage(gateway_with_keys, A)
    zero = {"amount": "0.0000", "open": "0.0000", "possible": "0.0000", "at_most": "0.0000"}
    assert before["total"]["cost"] == {**zero, "reserved": "0.7500", "currency": "USD"}
    with database.transaction() as cursor:
        cursor.execute(
            """
            INSERT INTO provider_jobs (session_id, kind, scene, version, attempt, provider, model,
                                       state, token, lease_until, estimated_usd, actual_usd)
            VALUES (%s, 'clip', 1, 1, 1, 'runway', 'gen4_turbo', 'succeeded', 't', now(), 0.75, 0.5)
            """,
            (video["id"],),
        )
        assert runs.succeed(cursor, video["run_id"])
        cursor.execute("DELETE FROM video_sessions")
    (day,) = usage(gateway_with_keys, A)["data"]
    assert day == {
        "day": today,
        "key_id": A,
        "key_name": "key 0",
        "user_id": "ann",
        "requests": 5,
        "refused": 0,
        "runs": 1,
        "cost": {
            **zero,
            "amount": "0.5000",
            "at_most": "0.5000",
            "reserved": "0.0000",
            "currency": "USD",
        },
    }


def test_usage_shows_own_keys_and_all_keys_to_the_operator(gateway_with_keys: Gateway) -> None:
    for key_id, times in ((A, 1), (B, 2), (C, 3)):
        send_requests(gateway_with_keys, key_id, times)
    mine = usage(gateway_with_keys, A)
    assert {day["key_id"]: day["requests"] for day in mine["data"]} == {A: 2, C: 3}
    assert mine["total"]["requests"] == 5
    assert usage(gateway_with_keys, A, f"?key_id={B}")["data"] == []
    assert usage(gateway_with_keys, A, f"?key_id={B}")["total"]["requests"] == 0
    rejected = gateway_with_keys.call("GET", "/v1/usage?user_id=bob")
    assert (rejected.status, rejected.json()["code"]) == (403, "auth.forbidden")
    all_usage = usage(gateway_with_keys, "operator", scopes="admin act_as")
    assert {day["key_id"] for day in all_usage["data"]} == {A, B, C, "operator"}
    (operator_day,) = (day for day in all_usage["data"] if day["key_id"] == "operator")
    assert (operator_day["key_name"], operator_day["user_id"], operator_day["requests"]) == (
        None,
        None,
        1,
    )
    bobs = usage(gateway_with_keys, "operator", "?user_id=bob", scopes="admin")
    assert [day["key_id"] for day in bobs["data"]] == [B]


def test_usage_pagination_by_day_is_complete(
    gateway_with_keys: Gateway, database: Database
) -> None:
    with database.transaction() as cursor:
        for day in range(1, 8):
            for key_id in (A, C):
                cursor.execute(
                    "INSERT INTO key_requests (key_id, day, requests) VALUES (%s, %s, %s)",
                    (key_id, f"2024-03-0{day}", day),
                )
        cursor.execute(
            "INSERT INTO key_runs (key_id, day, runs) VALUES (%s, '2024-03-09', 4)", (A,)
        )
    query, listed = "?from=2024-03-02&to=2024-03-09&limit=3", []
    page = usage(gateway_with_keys, A, query)
    assert (page["from"], page["to"]) == ("2024-03-02", "2024-03-09")
    assert (page["total"]["requests"], page["total"]["runs"]) == (2 * sum(range(2, 8)), 4)
    while True:
        assert page["total"]["runs"] == 4
        listed += [(day["day"], day["key_id"]) for day in page["data"]]
        if page["next_cursor"] is None:
            break
        page = usage(gateway_with_keys, A, f"{query}&cursor={page['next_cursor']}")
    expected = [("2024-03-09", A)]
    expected += [(f"2024-03-0{day}", key_id) for day in range(7, 1, -1) for key_id in (C, A)]
    assert listed == expected


@pytest.mark.parametrize(
    "query",
    [
        "?from=2024-03-02&to=2024-03-01",
        "?from=2020-01-01&to=2024-01-01",
        "?from=1700000000",
        "?from=yesterday",
        "?to=0000-01-01",
        "?limit=0",
        "?cursor=x",
        "?key_id=*",
        "?cursor=2024-99-99.operator",
    ],
)
def test_invalid_usage_query_is_422(query: str, gateway_with_keys: Gateway) -> None:
    gateway_with_keys.key_id, gateway_with_keys.user_id = A, "ann"
    assert gateway_with_keys.call("GET", f"/v1/usage{query}").json()["code"] == "request.invalid"


def test_usage_accepts_the_first_representable_day(gateway_with_keys: Gateway) -> None:
    assert usage(gateway_with_keys, A, "?to=0001-01-01")["data"] == []
