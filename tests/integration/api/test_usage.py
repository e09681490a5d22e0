"""Usage by day and key: what is counted, what stays, and who sees it."""

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
WISH = {"prompt": "A kite", "scenes": 1, "seconds": 2}


@pytest.fixture
def owned(gateway: Gateway, database: Database) -> Gateway:
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
    shown: dict[str, Any] = reply.json()
    return shown


def use(gateway: Gateway, key_id: str, times: int) -> None:
    gateway.key_id, gateway.user_id = key_id, KEYS[key_id]
    for _ in range(times):
        assert gateway.call("GET", "/v1/models").status == 200


def test_requests_runs_and_cost_stay_when_the_video_goes(
    owned: Gateway, database: Database
) -> None:
    today = str(datetime.now(UTC).date())
    use(owned, A, 2)
    video = owned.call("POST", "/v1/videos", WISH).json()
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps(A, None, None, None), Decimal("0.75"))
        cursor.execute("UPDATE runs SET reserved_usd = 0.75 WHERE run_id = %s", (video["run_id"],))
    before = usage(owned, A)
    nothing = {"amount": "0.0000", "open": "0.0000", "possible": "0.0000", "at_most": "0.0000"}
    assert before["total"]["cost"] == {**nothing, "reserved": "0.7500", "currency": "USD"}
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
    (day,) = usage(owned, A)["data"]
    assert day == {
        "day": today,
        "key_id": A,
        "key_name": "key 0",
        "user_id": "ann",
        "requests": 5,
        "refused": 0,
        "runs": 1,
        "cost": {
            **nothing,
            "amount": "0.5000",
            "at_most": "0.5000",
            "reserved": "0.0000",
            "currency": "USD",
        },
    }


def test_an_owner_sees_their_keys_and_the_operator_all(owned: Gateway) -> None:
    for key_id, times in ((A, 1), (B, 2), (C, 3)):
        use(owned, key_id, times)
    mine = usage(owned, A)
    assert {day["key_id"]: day["requests"] for day in mine["data"]} == {A: 2, C: 3}
    assert mine["total"]["requests"] == 5
    assert usage(owned, A, f"?key_id={B}")["data"] == []
    assert usage(owned, A, f"?key_id={B}")["total"]["requests"] == 0
    refused = owned.call("GET", "/v1/usage?user_id=bob")
    assert (refused.status, refused.json()["code"]) == (403, "auth.forbidden")
    everything = usage(owned, "operator", scopes="admin act_as")
    assert {day["key_id"] for day in everything["data"]} == {A, B, C, "operator"}
    (own,) = (day for day in everything["data"] if day["key_id"] == "operator")
    assert (own["key_name"], own["user_id"], own["requests"]) == (None, None, 1)
    bobs = usage(owned, "operator", "?user_id=bob", scopes="admin")
    assert [day["key_id"] for day in bobs["data"]] == [B]


def test_days_are_chosen_and_paged_without_gap_or_double(
    owned: Gateway, database: Database
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
    query, seen = "?from=2024-03-02&to=2024-03-09&limit=3", []
    page = usage(owned, A, query)
    assert (page["from"], page["to"]) == ("2024-03-02", "2024-03-09")
    assert (page["total"]["requests"], page["total"]["runs"]) == (2 * sum(range(2, 8)), 4)
    while True:
        assert page["total"]["runs"] == 4
        seen += [(day["day"], day["key_id"]) for day in page["data"]]
        if page["next_cursor"] is None:
            break
        page = usage(owned, A, f"{query}&cursor={page['next_cursor']}")
    expected = [("2024-03-09", A)]
    expected += [(f"2024-03-0{day}", key_id) for day in range(7, 1, -1) for key_id in (C, A)]
    assert seen == expected


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
def test_wrong_questions_are_422(query: str, owned: Gateway) -> None:
    owned.key_id, owned.user_id = A, "ann"
    assert owned.call("GET", f"/v1/usage{query}").json()["code"] == "request.invalid"


def test_the_first_day_of_all_can_be_asked_for(owned: Gateway) -> None:
    assert usage(owned, A, "?to=0001-01-01")["data"] == []
