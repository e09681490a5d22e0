"""Idempotency keys: repeated requests get the same response, and nothing is done twice."""

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

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 2, "seconds": 2}
KEY = {"Idempotency-Key": "order-4711"}
CLIENT_COUNT = 200
ALICE = Caller("key_1", "alice", True, frozenset(), {}, 1000, None, None)


def count_rows(database: Database, table: str) -> int:
    with database.transaction() as cursor:
        cursor.execute(f"SELECT count(*) AS n FROM {table}")
        (row,) = cursor.fetchall()
    return int(row["n"])


def test_idempotency_key_replays_the_response(gateway: Gateway, database: Database) -> None:
    first = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY)
    reordered = dict(reversed(VIDEO_BODY.items()))
    replayed = gateway.call("POST", "/v1/videos", reordered, KEY)
    assert (first.status, replayed.status) == (202, 202)
    assert first.text == replayed.text
    assert "Idempotent-Replayed" not in first.headers
    assert replayed.headers["Idempotent-Replayed"] == "true"
    for header in ("Location", "Retry-After", "Content-Type"):
        assert first.headers[header] == replayed.headers[header]
    assert count_rows(database, "video_sessions") == count_rows(database, "runs") == 1
    assert gateway.machine.started == [first.json()["run_id"]]
    # The stored response is returned, although the run has failed meanwhile.
    with database.transaction() as cursor:
        runs.fail(cursor, first.json()["run_id"], {"code": "x"})
    assert gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).json()["status"] == "queued"


def test_idempotency_key_with_another_body_is_rejected(
    gateway: Gateway, database: Database
) -> None:
    gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY)
    rejected = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "seed": 1}, KEY)
    assert (rejected.status, rejected.json()["code"]) == (422, "idempotency.other_request")
    assert count_rows(database, "video_sessions") == 1


def test_idempotency_key_is_scoped_to_user_and_route(gateway: Gateway, database: Database) -> None:
    alices = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).json()
    bobs = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY, user_id="bob").json()
    assert alices["id"] != bobs["id"]
    with database.transaction() as cursor:
        runs.fail(cursor, alices["run_id"], {"code": "x"})
    resumed = gateway.call("POST", alices["links"]["resume"], None, KEY)
    assert resumed.status == 202
    assert resumed.json()["run_id"] != alices["run_id"]
    replayed = gateway.call("POST", alices["links"]["resume"], None, KEY)
    assert replayed.text == resumed.text
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert count_rows(database, "runs") == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**VIDEO_BODY, "style": "Baroque"}, 422),
        ({**VIDEO_BODY, "image": "aGVsbG8="}, 422),
        ({}, 422),
    ],
)
def test_idempotency_key_does_not_store_errors(
    body: dict[str, Any], status: int, gateway: Gateway, database: Database
) -> None:
    assert gateway.call("POST", "/v1/videos", body, KEY).status == status
    assert count_rows(database, "idempotency_keys") == 0
    assert gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).status == 202


def test_idempotency_key_in_use_is_a_conflict_with_retry_after(
    gateway: Gateway, database: Database
) -> None:
    request = IdempotentRequest(("alice", "POST", "/v1/videos", "order-4711"))
    with database.transaction() as cursor:
        assert request.claim(cursor) is None
        conflict = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY)
    assert (conflict.status, conflict.json()["code"]) == (409, "idempotency.in_progress")
    assert conflict.json()["retryable"] is True
    assert conflict.headers["Retry-After"] == "1"
    assert gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).status == 202


def test_idempotency_key_is_released_when_the_worker_crashes(
    gateway: Gateway, migrated: Any
) -> None:
    def die(cursor: Cursor) -> None:
        request = IdempotentRequest(("alice", "POST", "/v1/videos", "order-4711"), b"f")
        assert request.claim(cursor) is None
        request.keep(cursor, JsonResponse(202, "{}"))
        raise ZeroDivisionError

    worker = Database(migrated)
    with pytest.raises(ZeroDivisionError), worker.transaction() as cursor:
        die(cursor)
    assert "Idempotent-Replayed" not in gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).headers


def test_idempotency_derives_the_same_run_id_after_a_restore(
    gateway: Gateway, database: Database
) -> None:
    """As after a restore from a backup: the repeated request finds the existing execution."""
    first = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).json()
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM video_sessions")
        cursor.execute("DELETE FROM idempotency_keys")
    repeated = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).json()
    assert (repeated["id"], repeated["run_id"]) == (first["id"], first["run_id"])
    assert gateway.machine.started == [first["run_id"]]


def test_idempotency_key_can_be_reused_after_it_expires(
    gateway: Gateway, database: Database
) -> None:
    request = IdempotentRequest(("alice", "POST", "/x", "k"), b"first")
    with database.transaction() as cursor:
        request.keep(cursor, JsonResponse(202, "{}"))
        assert request.claim(cursor)
        cursor.execute("UPDATE idempotency_keys SET expires_at = now()")
        other_request = IdempotentRequest(request.parts, b"another request")
        assert other_request.claim(cursor) is None
        other_request.keep(cursor, JsonResponse(202, "[]"))
        assert (stored := other_request.claim(cursor))
        assert stored.body == "[]"
        assert idempotency.delete_expired(cursor, 10) == 0
        cursor.execute("UPDATE idempotency_keys SET expires_at = now()")
        assert idempotency.delete_expired(cursor, 10) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "schlüssel"])
def test_idempotency_key_must_be_visible_ascii(key: str, gateway: Gateway) -> None:
    rejected = gateway.call("POST", "/v1/videos", VIDEO_BODY, {"Idempotency-Key": key})
    assert (rejected.status, rejected.json()["code"]) == (422, "request.invalid")


def run_clients(work: Callable[[int, VideoService], Any]) -> list[Any]:
    """Run `work` for many concurrent clients, each with its own database connection."""
    settings = load(ApiSettings)
    store = S3MediaStore(settings.media_bucket)
    for secret in (settings.database_secret_arn, settings.providers_secret_arn):
        secrets.read(secret, fresh=True)
    barrier = Barrier(CLIENT_COUNT)

    def run_client(number: int) -> Any:
        database = Database(settings)
        barrier.wait()
        try:
            links = LinkService(database, store, lambda: {"SECRET_KEY": "s" * 64})
            return work(number, VideoService(Admission(settings, database, store), database, links))
        finally:
            database.close()

    with ThreadPoolExecutor(CLIENT_COUNT) as pool:
        return list(pool.map(run_client, range(CLIENT_COUNT)))


def send_with_retry(send: Callable[[], JsonResponse], errors: list[VideoError]) -> JsonResponse:
    """Retry after conflicts and outages, as a client does that obeys Retry-After."""
    for _ in range(500):
        try:
            return send()
        except (Conflict, DatabaseUnavailable) as error:
            errors.append(error)
            time.sleep(random.uniform(0.5, 1) * (error.retry_after or 1))
    raise AssertionError("still failing after 500 retries")


def test_idempotency_of_200_concurrent_requests_creates_one_run(
    gateway: Gateway, database: Database
) -> None:
    errors: list[VideoError] = []
    video_request = CreateVideoRequest.model_validate(VIDEO_BODY)

    def create(_: int, videos: VideoService) -> JsonResponse:
        request = IdempotentRequest(("alice", "POST", "/v1/videos", "k"), b"the same")
        return send_with_retry(
            lambda: (
                request.cached_response(videos.database)
                or videos.create(ALICE, video_request, request)
            ),
            errors,
        )

    responses = run_clients(create)
    assert len({response.body for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert count_rows(database, "video_sessions") == count_rows(database, "runs") == 1
    assert len(gateway.machine.started) == 1


def test_200_concurrent_requests_succeed_with_few_connections_and_retry(
    gateway: Gateway, database: Database, postgres: Postgres, secret_store: SecretsManager
) -> None:
    limit = 40
    with database.transaction() as cursor:
        cursor.execute("DROP ROLE IF EXISTS narrow")
        cursor.execute(f"CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT {limit}")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow")
    secret_store.secrets[ROLES["api"]] = {"username": "narrow", "password": "narrow"}
    errors: list[VideoError] = []

    def create(number: int, videos: VideoService) -> JsonResponse:
        video_request = CreateVideoRequest.model_validate({"prompt": f"Boat {number}"})
        request = IdempotentRequest(("alice", "POST", "/v1/videos", f"k{number}"), b"own")
        response = send_with_retry(lambda: videos.create(ALICE, video_request, request), errors)
        videos.database.close()
        return response

    responses = run_clients(create)
    assert errors, "the connection limit was never reached"
    assert all(error.retryable and error.retry_after for error in errors)
    assert len({response.video_id for response in responses}) == CLIENT_COUNT
    assert count_rows(database, "video_sessions") == count_rows(database, "runs") == CLIENT_COUNT
    assert len(gateway.machine.started) == CLIENT_COUNT
    connection = postgres.connect(NAME)
    connection.run("DROP OWNED BY narrow")
    connection.run("DROP ROLE narrow")
    connection.close()
