"""API key administration over HTTP and its effect on requests."""

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
from tests.e2e.client import Client, StackAccess
from tests.e2e.test_refusals import assert_problem

KEYS = "/api/admin/api-keys"
UNKNOWN = f"key_{'0' * 26}"


@pytest.fixture
def owner() -> str:
    """A user id that no other test uses."""
    return f"owner-{uuid.uuid4().hex[:12]}"


def create_key(operator: Client, owner: str, **fields: Any) -> dict[str, Any]:
    """Create a key; return it with its secret, which is shown once."""
    response = operator.call("POST", KEYS, {"name": "n", "userId": owner, **fields})
    assert response.status_code == 201, response.text
    api_key: dict[str, Any] = response.json()["apiKey"]
    return api_key


def patch_key(operator: Client, key: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = operator.call("PATCH", f"{KEYS}/{key['id']}", fields)
    assert response.status_code == 200, response.text
    changed: dict[str, Any] = response.json()["apiKey"]
    return changed


def with_key(operator: Client, secret: str) -> Client:
    return Client(operator.base_url, secret)


def is_accepted(operator: Client, secret: str) -> bool:
    """Return whether the secret is accepted; a rejection must be a 401."""
    response = with_key(operator, secret).call("GET", "/v1/models")
    if response.status_code != 200:
        assert_problem(response, 401, "auth.unauthorized")
    return response.status_code == 200


def test_create_key_returns_requested_settings(
    operator: Client, owner: str, stack: StackAccess
) -> None:
    created = create_key(
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
    secret = created.pop("key")
    assert secret.startswith("vg_test_")
    assert secret.startswith(created["prefix"])
    fetched = operator.call("GET", f"{KEYS}/{created['id']}").json()["apiKey"]
    assert fetched == created
    assert {name: created[name] for name in created if name not in ("id", "prefix")} == {
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
        "createdAt": created["createdAt"],
        "expiresAt": created["expiresAt"],
        "lastUsedAt": None,
        "rotatedAt": None,
        "oldSecretEndsAt": None,
        "revokedAt": None,
    }
    stored = stack.rows("SELECT * FROM api_keys WHERE key_id = %s", created["id"])
    assert secret not in str(stored)


def test_key_shows_last_use(operator: Client, owner: str) -> None:
    created = create_key(operator, owner)
    assert is_accepted(operator, created["key"])
    assert operator.call("GET", f"{KEYS}/{created['id']}").json()["apiKey"]["lastUsedAt"]


def test_key_list_pagination(operator: Client, owner: str) -> None:
    created = [create_key(operator, owner)["id"] for _ in range(3)]
    listed_ids: list[str] = []
    query: str | None = f"?userId={owner}&limit=2"
    while query:
        page = operator.call("GET", KEYS + query).json()
        assert page["success"] is True
        assert not any("key" in key for key in page["apiKeys"])
        listed_ids += [key["id"] for key in page["apiKeys"]]
        after = page["nextCursor"]
        query = f"?userId={owner}&limit=2&cursor={after}" if after else None
    assert listed_ids == created[::-1]
    assert len(operator.call("GET", KEYS).json()["apiKeys"]) >= 3


def test_patch_key_takes_effect_on_next_request(operator: Client, owner: str) -> None:
    created = create_key(operator, owner, dailyCapUsd="5", expiresIn=3600)
    client = with_key(operator, created["key"])
    changed = patch_key(
        operator,
        created,
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
    response = client.call("GET", "/v1/videos")
    assert (
        '"minute";q=9;w=60, "hour";q=1000;w=3600, "runs";q=2'
        in (response.headers["RateLimit-Policy"])
    )
    assert_problem(client.call("GET", "/v1/models"), 403, "auth.forbidden")
    patch_key(operator, created, allowedEndpoints=["*"], isActive=False)
    assert not is_accepted(operator, created["key"])
    patch_key(operator, created, isActive=True)
    assert is_accepted(operator, created["key"])


@pytest.mark.parametrize(
    ("body", "pointer"),
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
def test_invalid_patch_key_error_names_field(
    body: dict[str, Any], pointer: str | None, operator: Client, owner: str
) -> None:
    created = create_key(operator, owner)
    problem = assert_problem(operator.call("PATCH", f"{KEYS}/{created['id']}", body), 422)
    assert pointer is None or pointer in [error["pointer"] for error in problem["errors"]]
    assert operator.call("GET", f"{KEYS}/{created['id']}").json()["apiKey"]["name"] == "n"


def test_rotated_key_accepts_both_secrets_during_grace_period(operator: Client, owner: str) -> None:
    created = create_key(operator, owner)
    first = operator.call("POST", f"{KEYS}/{created['id']}/rotate", {"graceSeconds": 4}).json()
    rotated_at = time.monotonic()
    new = first["apiKey"]["key"]
    assert first["apiKey"]["oldSecretEndsAt"]
    assert is_accepted(operator, created["key"])
    assert is_accepted(operator, new)
    time.sleep(max(0, rotated_at + 5 - time.monotonic()))
    assert not is_accepted(operator, created["key"])
    assert is_accepted(operator, new)
    # Without a body the old secret works for a day; with 0 all old secrets end immediately.
    second = operator.call("POST", f"{KEYS}/{created['id']}/rotate").json()["apiKey"]
    assert is_accepted(operator, new)
    third = operator.call("POST", f"{KEYS}/{created['id']}/rotate", {"graceSeconds": 0}).json()
    assert third["apiKey"]["oldSecretEndsAt"] is None
    assert [is_accepted(operator, secret) for secret in (new, second["key"])] == [False, False]
    assert is_accepted(operator, third["apiKey"]["key"])


def test_revoked_key_is_rejected_on_next_request(operator: Client, owner: str) -> None:
    """Requests sent after the revocation's response get 401.

    `tests/integration/api/test_keys.py` does the same with fifty clients, without HTTP.
    """
    created = create_key(operator, owner, rateLimit={"requestsPerMinute": 10_000})
    client = with_key(operator, created["key"])
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
        response = operator.call("DELETE", f"{KEYS}/{created['id']}")
        revoked.set()
        assert {status for future in calling for status in future.result()} == {401}
    assert response.json()["apiKey"]["revokedAt"]


def test_revoked_key_cannot_be_reactivated(operator: Client, owner: str) -> None:
    created = create_key(operator, owner)
    path = f"{KEYS}/{created['id']}"
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
def test_unknown_key_is_not_found_and_requires_admin(
    method: str, path: str, operator: Client, alice: Client
) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    for key_id, status in ((UNKNOWN, 404), ("nonsense", 422)):
        assert_problem(operator.call(method, f"{KEYS}/{key_id}{path}", body), status)
        assert_problem(alice.call(method, f"{KEYS}/{UNKNOWN}{path}", body), 403, "auth.forbidden")
    assert_problem(alice.call("GET", KEYS), 403, "auth.forbidden")


def test_key_concurrent_runs_are_limited(
    operator: Client, owner: str, as_user: Callable[[str], Client], stack: StackAccess
) -> None:
    created = create_key(operator, owner, maxConcurrentRuns=2)
    client = with_key(operator, created["key"])
    body = {"prompt": "A kite", "scenes": 1, "seconds": 2, "ratio": "960:960"}

    def create(_: int) -> requests.Response:
        return client.call("POST", "/v1/videos", body)

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(create, range(8)))
    accepted = [response.json()["id"] for response in responses if response.status_code == 202]
    refused = [response for response in responses if response.status_code != 202]
    # One of the first two runs may end before the last request is admitted.
    assert 2 <= len(accepted) < 8
    assert_problem(refused[0], 429, "rate.runs")
    assert int(refused[0].headers["Retry-After"]) > 0
    assert '"runs";r=0' in refused[0].headers["RateLimit"]
    stored = stack.rows("SELECT session_id FROM video_sessions WHERE user_id = %s", owner)
    assert {row["session_id"] for row in stored} == set(accepted)
    # Another key of the same owner has its own limit.
    other = as_user(owner)
    accepted.append(other.create(**body)["id"])
    for video_id in accepted:
        # Polling would exceed the rate limit of the key under test.
        assert other.wait(video_id)["status"] == "succeeded"
    assert create(0).status_code == 202


def test_mint_command_creates_key_with_given_settings(
    link: Connection, operator: Client, owner: str
) -> None:
    secret = keys.mint_key(link, "by command", user_id=owner, test=True, maxConcurrentRuns=4)
    assert is_accepted(operator, secret)
    (listed,) = operator.call("GET", f"{KEYS}?userId={owner}").json()["apiKeys"]
    assert (listed["name"], listed["test"], listed["maxConcurrentRuns"]) == ("by command", True, 4)
    with pytest.raises(keys.MintError, match="name"):
        keys.mint_key(link, "")
