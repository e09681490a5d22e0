"""API keys over HTTP: what the operator does with them, and what that means to who has one."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import requests

from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import Backstage, Client
from tests.e2e.test_refusals import assert_problem

KEYS = "/api/admin/api-keys"
UNKNOWN = f"key_{'0' * 26}"


@pytest.fixture
def owner() -> str:
    """A user whom no other test knows."""
    return f"owner-{uuid.uuid4().hex[:12]}"


def mint(operator: Client, owner: str, **wish: Any) -> dict[str, Any]:
    """Return a new key, as it is shown once."""
    response = operator.call("POST", KEYS, {"name": "n", "userId": owner, **wish})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["apiKey"]
    return made


def change(operator: Client, key: dict[str, Any], **wish: Any) -> dict[str, Any]:
    response = operator.call("PATCH", f"{KEYS}/{key['id']}", wish)
    assert response.status_code == 200, response.text
    changed: dict[str, Any] = response.json()["apiKey"]
    return changed


def with_key(operator: Client, secret: str) -> Client:
    return Client(operator.base_url, secret)


def works(operator: Client, secret: str) -> bool:
    """Say whether the secret lets in; without it, it is a 401 and nothing else."""
    response = with_key(operator, secret).call("GET", "/v1/models")
    if response.status_code != 200:
        assert_problem(response, 401, "auth.unauthorized")
    return response.status_code == 200


def test_a_key_is_what_was_asked_for(operator: Client, owner: str, backstage: Backstage) -> None:
    made = mint(
        operator,
        owner,
        name=" web ",
        test=True,
        scopes=["act_as"],
        allowedEndpoints=["GET /v1/*"],
        rateLimit={"requestsPerMinute": 7},
        maxConcurrentRuns=3,
        dailyCapUsd="1.50",
        monthlyCapUsd=20,
        expiresIn=3600,
    )
    secret = made.pop("key")
    assert secret.startswith("vg_test_")
    assert secret.startswith(made["prefix"])
    shown = operator.call("GET", f"{KEYS}/{made['id']}").json()["apiKey"]
    assert shown == made
    assert {name: made[name] for name in made if name not in ("id", "prefix")} == {
        "name": "web",
        "userId": owner,
        "test": True,
        "scopes": ["act_as"],
        "allowedEndpoints": ["GET /v1/*"],
        "isActive": True,
        "rateLimit": {"requestsPerMinute": 7, "requestsPerHour": 1000},
        "maxConcurrentRuns": 3,
        "dailyCapUsd": "1.5",
        "monthlyCapUsd": "20",
        "createdAt": made["createdAt"],
        "expiresAt": made["expiresAt"],
        "lastUsedAt": None,
        "rotatedAt": None,
        "oldSecretEndsAt": None,
        "revokedAt": None,
    }
    stored = backstage.rows("SELECT * FROM api_keys WHERE key_id = %s", made["id"])
    assert secret not in str(stored)


def test_the_last_use_is_shown(operator: Client, owner: str) -> None:
    made = mint(operator, owner)
    assert works(operator, made["key"])
    assert operator.call("GET", f"{KEYS}/{made['id']}").json()["apiKey"]["lastUsedAt"]


def test_keys_are_listed_in_pages(operator: Client, owner: str) -> None:
    made = [mint(operator, owner)["id"] for _ in range(3)]
    seen: list[str] = []
    query: str | None = f"?userId={owner}&limit=2"
    while query:
        page = operator.call("GET", KEYS + query).json()
        assert page["success"] is True
        assert not any("key" in key for key in page["apiKeys"])
        seen += [key["id"] for key in page["apiKeys"]]
        after = page["nextCursor"]
        query = f"?userId={owner}&limit=2&cursor={after}" if after else None
    assert seen == made[::-1]
    assert len(operator.call("GET", KEYS).json()["apiKeys"]) >= 3


def test_a_change_holds_from_the_next_request_on(operator: Client, owner: str) -> None:
    made = mint(operator, owner, dailyCapUsd="5", expiresIn=3600)
    client = with_key(operator, made["key"])
    changed = change(
        operator,
        made,
        name="renamed",
        allowedEndpoints=["GET /v1/videos*"],
        dailyCapUsd=None,
        expiresIn=None,
        rateLimit={"requestsPerMinute": 9},
        maxConcurrentRuns=2,
    )
    assert (changed["name"], changed["dailyCapUsd"], changed["expiresAt"]) == (
        "renamed",
        None,
        None,
    )
    assert changed["rateLimit"] == {"requestsPerMinute": 9, "requestsPerHour": 1000}
    answer = client.call("GET", "/v1/videos")
    assert (
        '"minute";q=9;w=60, "hour";q=1000;w=3600, "runs";q=2'
        in (answer.headers["RateLimit-Policy"])
    )
    assert_problem(client.call("GET", "/v1/models"), 403, "auth.forbidden")
    change(operator, made, allowedEndpoints=["*"], isActive=False)
    assert not works(operator, made["key"])
    change(operator, made, isActive=True)
    assert works(operator, made["key"])


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({}, None),
        ({"name": None}, None),
        ({"name": "x" * 101}, "/name"),
        ({"isActive": None}, None),
        ({"scopes": ["admin"]}, "/scopes/0"),
        ({"allowedEndpoints": []}, "/allowedEndpoints"),
        ({"allowedEndpoints": ["TRACE /v1"]}, "/allowedEndpoints/0"),
        ({"rateLimit": {"requestsPerMinute": 0}}, "/rateLimit/requestsPerMinute"),
        ({"maxConcurrentRuns": 0}, "/maxConcurrentRuns"),
        ({"dailyCapUsd": "-1"}, "/dailyCapUsd"),
        ({"expiresIn": 59}, "/expiresIn"),
        ({"userId": "bob"}, "/userId"),
        ({"key": "mine"}, "/key"),
    ],
)
def test_a_wrong_change_names_the_field(
    wish: dict[str, Any], pointer: str | None, operator: Client, owner: str
) -> None:
    made = mint(operator, owner)
    problem = assert_problem(operator.call("PATCH", f"{KEYS}/{made['id']}", wish), 422)
    assert pointer is None or pointer in [fault["pointer"] for fault in problem["errors"]]
    assert operator.call("GET", f"{KEYS}/{made['id']}").json()["apiKey"]["name"] == "n"


def test_two_secrets_live_while_a_key_is_rotated(operator: Client, owner: str) -> None:
    made = mint(operator, owner)
    first = operator.call("POST", f"{KEYS}/{made['id']}/rotate", {"graceSeconds": 4}).json()
    rotated_at = time.monotonic()
    new = first["apiKey"]["key"]
    assert first["apiKey"]["oldSecretEndsAt"]
    assert works(operator, made["key"])
    assert works(operator, new)
    time.sleep(max(0, rotated_at + 5 - time.monotonic()))
    assert not works(operator, made["key"])
    assert works(operator, new)
    # Without a body the old secret works for a day; with 0 both old ones end at once.
    second = operator.call("POST", f"{KEYS}/{made['id']}/rotate").json()["apiKey"]
    assert works(operator, new)
    third = operator.call("POST", f"{KEYS}/{made['id']}/rotate", {"graceSeconds": 0}).json()
    assert third["apiKey"]["oldSecretEndsAt"] is None
    assert [works(operator, secret) for secret in (new, second["key"])] == [False, False]
    assert works(operator, third["apiKey"]["key"])


def test_a_revoked_key_is_dead_at_the_next_request(operator: Client, owner: str) -> None:
    """No answer but 401 to any request that was sent after the revocation was answered.

    Fifty clients at once, without HTTP: `tests/integration/api/test_keys.py`.
    """
    made = mint(operator, owner, rateLimit={"requestsPerMinute": 10_000})
    client = with_key(operator, made["key"])
    started, revoked = Barrier(7), Event()

    def call(_: int) -> list[int]:
        assert client.call("GET", "/v1/models").status_code == 200
        started.wait()
        while not revoked.is_set():
            client.call("GET", "/v1/models")
        return [client.call("GET", "/v1/models").status_code for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        calling = [pool.submit(call, n) for n in range(6)]
        started.wait()
        answer = operator.call("DELETE", f"{KEYS}/{made['id']}")
        revoked.set()
        assert {status for future in calling for status in future.result()} == {401}
    assert answer.json()["apiKey"]["revokedAt"]


def test_a_revoked_key_stays_so(operator: Client, owner: str) -> None:
    made = mint(operator, owner)
    path = f"{KEYS}/{made['id']}"
    first = operator.call("DELETE", path).json()
    assert operator.call("DELETE", path).json() == first
    assert first["apiKey"]["isActive"] is False
    assert_problem(operator.call("PATCH", path, {"isActive": True}), 409, "key.revoked")
    assert_problem(operator.call("POST", f"{path}/rotate", {}), 409, "key.revoked")
    assert operator.call("GET", path).json() == first


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")],
)
def test_an_unknown_key_is_404_and_the_admins_alone(
    method: str, path: str, operator: Client, alice: Client
) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    for key_id, status in ((UNKNOWN, 404), ("nonsense", 422)):
        assert_problem(operator.call(method, f"{KEYS}/{key_id}{path}", body), status)
        assert_problem(alice.call(method, f"{KEYS}/{UNKNOWN}{path}", body), 403, "auth.forbidden")
    assert_problem(alice.call("GET", KEYS), 403, "auth.forbidden")


def test_a_key_has_its_runs_and_no_more(
    operator: Client, owner: str, as_user: Callable[[str], Client], backstage: Backstage
) -> None:
    made = mint(operator, owner, maxConcurrentRuns=2)
    client = with_key(operator, made["key"])
    wish = {"prompt": "A kite", "scenes": 1, "seconds": 2, "ratio": "960:960"}

    def create(_: int) -> requests.Response:
        return client.call("POST", "/v1/videos", wish)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    # One of the first two may end before the last is admitted.
    assert 2 <= len(accepted) < 8
    assert_problem(refused[0], 429, "rate.runs")
    assert int(refused[0].headers["Retry-After"]) > 0
    assert '"runs";r=0' in refused[0].headers["RateLimit"]
    stored = backstage.rows("SELECT session_id FROM video_sessions WHERE user_id = %s", owner)
    assert {row["session_id"] for row in stored} == set(accepted)
    # Another key of the same owner has its own.
    other = as_user(owner)
    accepted.append(other.create(**wish)["id"])
    for video_id in accepted:
        # Not with the key itself, which may not look so often.
        assert other.wait(video_id)["status"] == "succeeded"
    assert create(0).status_code == 202


def test_the_command_mints_what_it_is_told(link: Connection, operator: Client, owner: str) -> None:
    secret = keys.mint_key(link, "by command", user_id=owner, test=True, maxConcurrentRuns=4)
    assert works(operator, secret)
    (shown,) = operator.call("GET", f"{KEYS}?userId={owner}").json()["apiKeys"]
    assert (shown["name"], shown["test"], shown["maxConcurrentRuns"]) == ("by command", True, 4)
    with pytest.raises(keys.MintError, match="name"):
        keys.mint_key(link, "")
