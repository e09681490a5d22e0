"""A paid run on the deployed stack, in whose middle the database is killed, twice.

PostgreSQL dies by SIGKILL while a provider is at a paid call: the worker has the answer to come,
and nowhere to write it to. The server is back within seconds.
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
from tests.e2e.client import Backstage, Client
from tests.e2e.vendors import PAID, Vendors, serve

CALL_SECONDS = 5.0
BACK_WITHIN_SECONDS = 20.0
TABLES = ("video_sessions", "video_frames", "video_clips", "run_events", "provider_jobs")


@pytest.fixture(scope="module")
def vendors(
    link: Connection, backstage: Backstage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    """Both vendors, who take their time with the calls at which the database dies."""
    with serve(link, backstage, Path(tmp_path_factory.mktemp("vendors"))) as both:
        both.openai.set(latency={"images.edits": CALL_SECONDS})
        both.runway.set(latency={"image_to_video": CALL_SECONDS})
        yield both


def wait_for_call(backstage: Backstage, video_id: str, kind: str, scene: int) -> None:
    """Return when a call for the step is announced in the ledger, and under way."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if backstage.rows(
            "SELECT 1 FROM provider_jobs WHERE session_id = %s AND kind = %s AND scene = %s "
            "AND state = 'submitting'",
            video_id,
            kind,
            scene,
        ):
            return
        time.sleep(0.1)
    raise AssertionError(f"no call for the {kind} of scene {scene}")


def kill(postgres: Postgres) -> None:
    """Take the server away as a power cut does."""
    os.kill(postgres.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while postgres.running:
        assert time.monotonic() < deadline, "the server's supervisor did not notice"
        time.sleep(0.05)


def bring_back(postgres: Postgres) -> None:
    """Start the server on its data again; the dead one's last processes may still be ending."""
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


def rows(backstage: Backstage) -> set[tuple[str, int]]:
    """Return what is committed, and was told to us: table and id."""
    return {(t, row["id"]) for t in TABLES for row in backstage.rows(f"SELECT id FROM {t}")}


@contextmanager
def minting(operator: Client) -> Iterator[list[str]]:
    """Mint API keys all the while; yield the list of those that were acknowledged."""
    acknowledged: list[str] = []
    done = threading.Event()

    def mint() -> None:
        while not done.is_set():
            answer = operator.call(
                "POST", "/api/admin/api-keys", {"name": "minted", "userId": "minted"}
            )
            if answer.status_code == 201:
                acknowledged.append(answer.json()["apiKey"]["id"])
            time.sleep(0.1)

    miner = threading.Thread(target=mint)
    miner.start()
    try:
        yield acknowledged
    finally:
        done.set()
        miner.join()


def test_a_paid_run_survives_the_death_of_the_database(
    vendors: Vendors,
    cloud: Cloud,
    backstage: Backstage,
    as_user: Callable[[str], Client],
    operator: Client,
) -> None:
    client = as_user("unlucky")
    video = client.create(prompt="A lamp in the rain", scenes=2, seconds=2, models=PAID)
    with minting(operator) as acknowledged:
        for kind, scene in (("image", 2), ("clip", 1)):
            wait_for_call(backstage, video["id"], kind, scene)
            before, told = rows(backstage), set(acknowledged)
            assert told
            kill(cloud.postgres)
            # Nobody gets in, nobody is told anything else than to come back.
            refused = client.call("GET", f"/v1/videos/{video['id']}")
            assert refused.status_code == 503
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.headers["Retry-After"].isdecimal()
            told |= set(acknowledged)
            bring_back(cloud.postgres)
            kept = {row["key_id"] for row in backstage.rows("SELECT key_id FROM api_keys")}
            assert told <= kept
            assert before <= rows(backstage)

    ended = client.wait(video["id"], 240)
    assert ended["status"] == "succeeded", ended["error"]
    # One call for each step in the vendors' own books, and nothing else in our ledger.
    assert len(vendors.openai.charges()) == 3
    assert len({charge.fingerprint for charge in vendors.openai.charges()}) == 3
    assert len(vendors.runway.charges()) == 2
    calls = backstage.rows(
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
