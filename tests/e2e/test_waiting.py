"""Limits of providers on the deployed stack: runs wait for each other, visibly, and end well."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from common.domain import models
from infra.local.connection import Connection
from tests.e2e.client import Backstage, Client
from tests.e2e.vendors import PAID, Vendors, serve

PICTURES = 3
LIMITS = f"openai.images_per_minute={PICTURES},runway.jobs_at_once=1"
JOB_SECONDS, RETRY_AFTER = 7, 20
# As if other videos had sent two pictures 40 s ago, and had a clip made.
OTHERS = """
    INSERT INTO provider_jobs (session_id, kind, scene, version, attempt, provider, model, state,
                               token, lease_until, estimated_usd, input_pictures, created_at,
                               updated_at)
    SELECT %(video)s, kind, 90 + number, 1, 1, provider, model, state, 'other' || number, now(), 0,
           pictures, now() - age * interval '1 second', now() - (age - 8) * interval '1 second'
    FROM (VALUES (1, 'image', 'openai', %(image)s, 'refused', 2, 40),
                 (2, 'clip', 'runway', %(clip)s, 'succeeded', 0, 90))
         AS other (number, kind, provider, model, state, pictures, age)
"""


@pytest.fixture
def vendors(link: Connection, backstage: Backstage, tmp_path: Path) -> Iterator[Vendors]:
    with serve(link, backstage, tmp_path, LIMITS) as both:
        # What goes beyond the limits is refused by the one, and seen in the book of the other.
        both.openai.set(images_per_minute=PICTURES, latency={"images.generations": 2})
        both.runway.set(running_seconds=JOB_SECONDS, pending_seconds=0)
        yield both


def watch(client: Client, videos: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Follow the videos to their ends; return them, and every `waiting` that was shown."""
    shown: list[Any] = []
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        videos = [client.call("GET", f"/v1/videos/{video['id']}").json() for video in videos]
        shown += [(v["id"], v["waiting"]) for v in videos if v["waiting"]]
        if all(video["status"] in ("succeeded", "failed") for video in videos):
            return videos, shown
        time.sleep(0.5)
    raise AssertionError(f"not ended: {videos}")


def test_runs_share_what_the_providers_allow(
    vendors: Vendors, as_user: Callable[[str], Client], backstage: Backstage
) -> None:
    """Three pictures a minute and one clip at a time, for two runs; one is told to come later.

    The first run has to wait for the minute, and then both need the one place for clips.
    """
    text, film = vendors.openai, vendors.runway
    with backstage.database() as cursor:  # jobs of other tests, whose stand-in has ended
        cursor.execute("UPDATE provider_jobs SET slot_until = NULL")
    client = as_user("patient")
    wish = {"scenes": 2, "seconds": 2, "models": PAID}

    text.fault("responses", "429", retry_after=RETRY_AFTER, containing="A late boat")
    started = time.monotonic()
    videos = [
        client.create(**wish, prompt="A first boat"),
        client.create(**{**wish, "scenes": 1}, prompt="A late boat"),
    ]
    while client.call("GET", f"/v1/videos/{videos[0]['id']}").json()["title"] is None:
        assert time.monotonic() - started < 60
        time.sleep(0.2)
    with backstage.database() as cursor:
        paid = models.paid()
        cursor.execute(
            OTHERS,
            {"video": videos[0]["id"], "image": paid.image.model, "clip": paid.video.model},
        )
    ended, shown = watch(client, videos)
    assert [video["status"] for video in ended] == ["succeeded"] * 2, ended

    # Retry-After was waited for, and nothing was tried meanwhile.
    assert time.monotonic() - started > RETRY_AFTER
    late = [call["status"] for call in text.requests("responses")]
    assert late.count(429) == 1

    # It was visible why: the pause that was asked for, the minute, and the one place for clips.
    seen = {(waiting["stage"], waiting["code"]) for _, waiting in shown}
    assert seen == {
        ("story", "waiting.provider_busy"),
        ("image", "waiting.provider_limit"),
        ("clip", "waiting.provider_limit"),
    }
    story = next(w for video, w in shown if video == ended[1]["id"] and w["stage"] == "story")
    assert story["provider"] == "openai"
    assert story["since"] < story["until"]
    events = backstage.rows("SELECT type FROM run_events WHERE run_id = %s", ended[1]["run_id"])
    assert "story.waiting" in {event["type"] for event in events}

    # The vendors never saw more than they allow, and were paid for each step once.
    assert {call["status"] for call in text.requests("images.generations")} == {200}
    assert {call["status"] for call in text.requests("images.edits")} == {200}
    assert len(text.charges()) == 2 + 3
    clips = sorted(charge.at for charge in film.charges())
    assert len(clips) == 3
    assert all(b - a >= JOB_SECONDS for a, b in pairwise(clips))
    calls = backstage.rows(
        "SELECT state, count(*) FROM provider_jobs WHERE scene < 90 AND session_id IN (%s, %s) "
        "GROUP BY state",
        *(video["id"] for video in videos),
    )
    assert {call["state"]: call["count"] for call in calls} == {"succeeded": 8, "refused": 1}
