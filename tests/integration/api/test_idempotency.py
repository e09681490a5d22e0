"""Requests that are repeated: the same answer again, and nothing done twice."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from api.http.idempotency import IdempotentRequest
from api.http.response import JsonResponse
from api.services.links import LinkService
from api.services.videos import VideoService
from common.application.admission import Admission
from common.aws import secrets
from common.database import Cursor, Database, idempotency, runs
from common.domain.caller import Caller
from common.domain.errors import Conflict, DatabaseUnavailable, VideoError
from common.schemas.requests import CreateVideoRequest
from common.settings import ApiSettings, load
from common.storage.s3 import S3MediaStore
from infra.local.postgres import Postgres
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import NAME, ROLES
from tests.support.gateway import Gateway

WISH = {"prompt": "A paper boat", "scenes": 2, "seconds": 2}
KEY = {"Idempotency-Key": "order-4711"}
CLIENTS = 200
ALICE = Caller("key_1", "alice", True, frozenset(), {}, 1000, None, None)


def rows(database: Database, table: str) -> int:
    with database.transaction() as cursor:
        cursor.execute(f"SELECT count(*) AS n FROM {table}")
        (row,) = cursor.fetchall()
    return int(row["n"])


def test_the_same_key_and_body_get_the_same_answer(gateway: Gateway, database: Database) -> None:
    first = gateway.call("POST", "/v1/videos", WISH, KEY)
    other_order = dict(reversed(WISH.items()))
    again = gateway.call("POST", "/v1/videos", other_order, KEY)
    assert (first.status, again.status) == (202, 202)
    assert first.text == again.text
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    for header in ("Location", "Retry-After", "Content-Type"):
        assert first.headers[header] == again.headers[header]
    assert rows(database, "video_sessions") == rows(database, "runs") == 1
    assert gateway.machine.started == [first.json()["run_id"]]
    # The answer is that of the first time, although the run has gone on since.
    with database.transaction() as cursor:
        runs.fail(cursor, first.json()["run_id"], {"code": "x"})
    assert gateway.call("POST", "/v1/videos", WISH, KEY).json()["status"] == "queued"


def test_another_body_is_refused(gateway: Gateway, database: Database) -> None:
    gateway.call("POST", "/v1/videos", WISH, KEY)
    other = gateway.call("POST", "/v1/videos", {**WISH, "seed": 1}, KEY)
    assert (other.status, other.json()["code"]) == (422, "idempotency.other_request")
    assert rows(database, "video_sessions") == 1


def test_a_key_belongs_to_its_owner_and_route(gateway: Gateway, database: Database) -> None:
    mine = gateway.call("POST", "/v1/videos", WISH, KEY).json()
    theirs = gateway.call("POST", "/v1/videos", WISH, KEY, user_id="bob").json()
    assert mine["id"] != theirs["id"]
    with database.transaction() as cursor:
        runs.fail(cursor, mine["run_id"], {"code": "x"})
    resumed = gateway.call("POST", mine["links"]["resume"], None, KEY)
    assert resumed.status == 202
    assert resumed.json()["run_id"] != mine["run_id"]
    again = gateway.call("POST", mine["links"]["resume"], None, KEY)
    assert again.text == resumed.text
    assert again.headers["Idempotent-Replayed"] == "true"
    assert rows(database, "runs") == 3


@pytest.mark.parametrize(
    ("wish", "status"),
    [({**WISH, "style": "Baroque"}, 422), ({**WISH, "image": "aGVsbG8="}, 422), ({}, 422)],
)
def test_a_refusal_is_not_kept(
    wish: dict[str, Any], status: int, gateway: Gateway, database: Database
) -> None:
    assert gateway.call("POST", "/v1/videos", wish, KEY).status == status
    assert rows(database, "idempotency_keys") == 0
    assert gateway.call("POST", "/v1/videos", WISH, KEY).status == 202


def test_a_key_in_use_is_409_and_says_when_to_try_again(
    gateway: Gateway, database: Database
) -> None:
    once = IdempotentRequest(("alice", "POST", "/v1/videos", "order-4711"))
    with database.transaction() as cursor:
        assert once.claim(cursor) is None
        busy = gateway.call("POST", "/v1/videos", WISH, KEY)
    assert (busy.status, busy.json()["code"]) == (409, "idempotency.in_progress")
    assert busy.json()["retryable"] is True
    assert busy.headers["Retry-After"] == "1"
    assert gateway.call("POST", "/v1/videos", WISH, KEY).status == 202


def test_a_worker_that_dies_leaves_the_key_free(gateway: Gateway, migrated: Any) -> None:
    def die(cursor: Cursor) -> None:
        once = IdempotentRequest(("alice", "POST", "/v1/videos", "order-4711"), b"f")
        assert once.claim(cursor) is None
        once.keep(cursor, JsonResponse(202, "{}"))
        raise ZeroDivisionError

    worker = Database(migrated)
    with pytest.raises(ZeroDivisionError), worker.transaction() as cursor:
        die(cursor)
    assert "Idempotent-Replayed" not in gateway.call("POST", "/v1/videos", WISH, KEY).headers


def test_a_run_keeps_its_name_when_its_row_is_lost(gateway: Gateway, database: Database) -> None:
    """As after a restore: whoever repeats the request meets the execution that there is."""
    first = gateway.call("POST", "/v1/videos", WISH, KEY).json()
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM video_sessions")
        cursor.execute("DELETE FROM idempotency_keys")
    again = gateway.call("POST", "/v1/videos", WISH, KEY).json()
    assert (again["id"], again["run_id"]) == (first["id"], first["run_id"])
    assert gateway.machine.started == [first["run_id"]]


def test_an_old_key_is_a_new_one(gateway: Gateway, database: Database) -> None:
    once = IdempotentRequest(("alice", "POST", "/x", "k"), b"first")
    with database.transaction() as cursor:
        once.keep(cursor, JsonResponse(202, "{}"))
        assert once.claim(cursor)
        cursor.execute("UPDATE idempotency_keys SET expires_at = now()")
        later = IdempotentRequest(once.parts, b"another request")
        assert later.claim(cursor) is None
        later.keep(cursor, JsonResponse(202, "[]"))
        assert (kept := later.claim(cursor))
        assert kept.body == "[]"
        assert idempotency.forget_expired(cursor, 10) == 0
        cursor.execute("UPDATE idempotency_keys SET expires_at = now()")
        assert idempotency.forget_expired(cursor, 10) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "schlüssel"])
def test_a_key_is_visible_ascii(key: str, gateway: Gateway) -> None:
    refused = gateway.call("POST", "/v1/videos", WISH, {"Idempotency-Key": key})
    assert (refused.status, refused.json()["code"]) == (422, "request.invalid")


def clients(work: Callable[[int, VideoService], Any]) -> list[Any]:
    """Let many clients work at once, each in a worker with a connection of its own."""
    settings = load(ApiSettings)
    store = S3MediaStore(settings.media_bucket)
    for secret in (settings.database_secret_arn, settings.providers_secret_arn):
        secrets.read(secret, fresh=True)
    together = Barrier(CLIENTS)

    def one(number: int) -> Any:
        database = Database(settings)
        together.wait()
        try:
            links = LinkService(database, store, lambda: {"SECRET_KEY": "s" * 64})
            return work(number, VideoService(Admission(settings, database, store), database, links))
        finally:
            database.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


def insistently(ask: Callable[[], JsonResponse], refusals: list[VideoError]) -> JsonResponse:
    """Ask again after every polite refusal, as a client does that reads Retry-After."""
    for _ in range(500):
        try:
            return ask()
        except (Conflict, DatabaseUnavailable) as refusal:
            refusals.append(refusal)
            time.sleep(random.uniform(0.5, 1) * (refusal.retry_after or 1))
    raise AssertionError("asked in vain")


def test_two_hundred_at_once_with_one_key_make_one_run(
    gateway: Gateway, database: Database
) -> None:
    refusals: list[VideoError] = []
    wish = CreateVideoRequest.model_validate(WISH)

    def create(_: int, videos: VideoService) -> JsonResponse:
        once = IdempotentRequest(("alice", "POST", "/v1/videos", "k"), b"the same")
        return insistently(
            lambda: once.cached_response(videos.database) or videos.create(ALICE, wish, once),
            refusals,
        )

    answers = clients(create)
    assert len({answer.body for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert rows(database, "video_sessions") == rows(database, "runs") == 1
    assert len(gateway.machine.started) == 1


def test_two_hundred_at_once_on_few_connections_are_all_made(
    gateway: Gateway, database: Database, postgres: Postgres, secret_store: SecretsManager
) -> None:
    limit = 40
    with database.transaction() as cursor:
        cursor.execute("DROP ROLE IF EXISTS narrow")
        cursor.execute(f"CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT {limit}")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow")
    secret_store.secrets[ROLES["api"]] = {"username": "narrow", "password": "narrow"}
    refusals: list[VideoError] = []

    def create(number: int, videos: VideoService) -> JsonResponse:
        wish = CreateVideoRequest.model_validate({"prompt": f"Boat {number}"})
        once = IdempotentRequest(("alice", "POST", "/v1/videos", f"k{number}"), b"own")
        answer = insistently(lambda: videos.create(ALICE, wish, once), refusals)
        videos.database.close()
        return answer

    answers = clients(create)
    assert refusals, "the limit was never met"
    assert all(refusal.retryable and refusal.retry_after for refusal in refusals)
    assert len({answer.video_id for answer in answers}) == CLIENTS
    assert rows(database, "video_sessions") == rows(database, "runs") == CLIENTS
    assert len(gateway.machine.started) == CLIENTS
    connection = postgres.connect(NAME)
    connection.run("DROP OWNED BY narrow")
    connection.run("DROP ROLE narrow")
    connection.close()
