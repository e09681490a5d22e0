"""A paid run on the deployed stack during which the database is killed twice.

PostgreSQL receives SIGKILL during a paid call, so the worker cannot store the response at once. The
server is back within seconds.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.cloud import Cloud
from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.postgres import Postgres
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, Vendors, serve

CALL_SECONDS = 5.0
BACK_WITHIN_SECONDS = 20.0
TABLES = ("video_sessions", "video_frames", "video_clips", "run_events", "provider_jobs")


@pytest.fixture(scope="module")
def vendors(
    link: Connection, stack: StackAccess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    """Both vendors, slow on the calls during which the database is killed."""
    with serve(link, stack, Path(tmp_path_factory.mktemp("vendors"))) as both:
        both.openai.set(latency={"images.edits": CALL_SECONDS})
        both.runway.set(latency={"image_to_video": CALL_SECONDS})
        yield both


def wait_for_call(stack: StackAccess, video_id: str, kind: str, scene: int) -> None:
    """Wait until the ledger has an attempt in state `submitting` for the step."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if stack.rows(
            "SELECT 1 FROM provider_jobs WHERE session_id = %s AND kind = %s AND scene = %s "
            "AND state = 'submitting'",
            video_id,
            kind,
            scene,
        ):
            return
        time.sleep(0.1)
    raise AssertionError(f"no call for the {kind} of scene {scene}")


def kill_server(postgres: Postgres) -> None:
    """Kill the server as a power failure would."""
    os.kill(postgres.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while postgres.running:
        assert time.monotonic() < deadline, "the server's supervisor did not notice"
        time.sleep(0.05)


def restart_server(postgres: Postgres) -> None:
    """Restart the server on its data; retry while processes of the killed one still end."""
    deadline = time.monotonic() + BACK_WITHIN_SECONDS
    while True:
        try:
            postgres.start()
        except LocalCloudError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return


def committed_rows(stack: StackAccess) -> set[tuple[str, int]]:
    """Return the committed rows as pairs of table and id."""
    return {(t, row["id"]) for t in TABLES for row in stack.rows(f"SELECT id FROM {t}")}


@contextmanager
def creating_keys(operator: Client) -> Iterator[list[str]]:
    """Create API keys in the background; yield the list of acknowledged ids."""
    acknowledged: list[str] = []
    done = threading.Event()

    def mint() -> None:
        while not done.is_set():
            response = operator.call(
                "POST", "/api/admin/api-keys", {"name": "minted", "userId": "minted"}
            )
            if response.status_code == 201:
                acknowledged.append(response.json()["apiKey"]["id"])
            time.sleep(0.1)

    thread = threading.Thread(target=mint)
    thread.start()
    try:
        yield acknowledged
    finally:
        done.set()
        thread.join()


def test_paid_run_survives_killed_database(
    vendors: Vendors,
    cloud: Cloud,
    stack: StackAccess,
    as_user: Callable[[str], Client],
    operator: Client,
) -> None:
    client = as_user("unlucky")
    video = client.create(prompt="A lamp in the rain", scenes=2, seconds=2, models=PAID)
    with creating_keys(operator) as acknowledged:
        for kind, scene in (("image", 2), ("clip", 1)):
            wait_for_call(stack, video["id"], kind, scene)
            before, key_ids = committed_rows(stack), set(acknowledged)
            assert key_ids
            kill_server(cloud.postgres)
            # Requests get 503 with Retry-After while the database is down.
            unavailable = client.call("GET", f"/v1/videos/{video['id']}")
            assert unavailable.status_code == 503
            assert unavailable.headers["Content-Type"] == "application/problem+json"
            assert unavailable.headers["Retry-After"].isdecimal()
            key_ids |= set(acknowledged)
            restart_server(cloud.postgres)
            stored = {row["key_id"] for row in stack.rows("SELECT key_id FROM api_keys")}
            assert key_ids <= stored
            assert before <= committed_rows(stack)

    ended = client.wait(video["id"], 240)
    assert ended["status"] == "succeeded", ended["error"]
    # One charge for each step at the vendors, and one attempt each in the ledger.
    assert len(vendors.openai.charges()) == 3
    assert len({charge.fingerprint for charge in vendors.openai.charges()}) == 3
    assert len(vendors.runway.charges()) == 2
    calls = stack.rows(
        "SELECT kind, state, possible_duplicate, actual_usd FROM provider_jobs "
        "WHERE session_id = %s",
        video["id"],
    )
    assert [(call["state"], call["possible_duplicate"]) for call in calls] == [
        ("succeeded", False)
    ] * 5
    dollars = sum(float(charge.amount) for charge in vendors.openai.charges())
    cents = sum(float(charge.amount) for charge in vendors.runway.charges())
    counted = sum(float(call["actual_usd"]) for call in calls)
    assert counted == pytest.approx(dollars + cents / 100, abs=0.0002)
