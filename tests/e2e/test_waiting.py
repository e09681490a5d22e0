"""Provider limits on the deployed stack: runs wait in the queue, show it, and succeed."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from common.domain import models
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, Vendors, serve

IMAGES_PER_MINUTE = 3
LIMITS = f"openai.images_per_minute={IMAGES_PER_MINUTE},runway.jobs_at_once=1"
JOB_SECONDS, RETRY_AFTER = 7, 20
# Attempts of other videos: two images 40 s ago, and a clip.
INSERT_OTHER_ATTEMPTS = """
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
def vendors(link: Connection, stack: StackAccess, tmp_path: Path) -> Iterator[Vendors]:
    with serve(link, stack, tmp_path, LIMITS) as both:
        # The OpenAI stand-in rejects calls beyond the limit; Runway's charges show them.
        both.openai.set(images_per_minute=IMAGES_PER_MINUTE, latency={"images.generations": 2})
        both.runway.set(running_seconds=JOB_SECONDS, pending_seconds=0)
        yield both


def watch(client: Client, videos: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Poll until the videos have ended; return them and every `waiting` that was shown."""
    shown: list[Any] = []
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        videos = [client.call("GET", f"/v1/videos/{video['id']}").json() for video in videos]
        shown += [(v["id"], v["waiting"]) for v in videos if v["waiting"]]
        if all(video["status"] in ("succeeded", "failed") for video in videos):
            return videos, shown
        time.sleep(0.5)
    raise AssertionError(f"not ended: {videos}")


def test_runs_share_provider_limits_and_show_queue(
    vendors: Vendors, as_user: Callable[[str], Client], stack: StackAccess
) -> None:
    """Two runs share three images a minute and one clip at a time; one gets a Retry-After.

    The first run waits for the next minute, and then both need the only clip slot.
    """
    text, video_vendor = vendors.openai, vendors.runway
    with stack.database() as cursor:  # release the slots of jobs of other tests
        cursor.execute("UPDATE provider_jobs SET slot_until = NULL")
    client = as_user("patient")
    request = {"scenes": 2, "seconds": 2, "models": PAID}

    text.fault("responses", "429", retry_after=RETRY_AFTER, containing="A late boat")
    started = time.monotonic()
    videos = [
        client.create(**request, prompt="A first boat"),
        client.create(**{**request, "scenes": 1}, prompt="A late boat"),
    ]
    while client.call("GET", f"/v1/videos/{videos[0]['id']}").json()["title"] is None:
        assert time.monotonic() - started < 60
        time.sleep(0.2)
    with stack.database() as cursor:
        paid = models.paid()
        cursor.execute(
            INSERT_OTHER_ATTEMPTS,
            {"video": videos[0]["id"], "image": paid.image.model, "clip": paid.video.model},
        )
    ended, shown = watch(client, videos)
    assert [video["status"] for video in ended] == ["succeeded"] * 2, ended

    # The run respected Retry-After and sent no call meanwhile.
    assert time.monotonic() - started > RETRY_AFTER
    late = [call["status"] for call in text.requests("responses")]
    assert late.count(429) == 1

    # The reasons were visible: Retry-After, the limit per minute, and the clip slot.
    reasons = {(waiting["stage"], waiting["code"]) for _, waiting in shown}
    assert reasons == {
        ("story", "waiting.provider_busy"),
        ("image", "waiting.provider_limit"),
        ("clip", "waiting.provider_limit"),
    }
    story = next(w for video, w in shown if video == ended[1]["id"] and w["stage"] == "story")
    assert story["provider"] == "openai"
    assert story["since"] < story["until"]
    events = stack.rows("SELECT type FROM run_events WHERE run_id = %s", ended[1]["run_id"])
    assert "story.waiting" in {event["type"] for event in events}

    # The vendors' limits were never exceeded, and each step was paid for once.
    assert {call["status"] for call in text.requests("images.generations")} == {200}
    assert {call["status"] for call in text.requests("images.edits")} == {200}
    assert len(text.charges()) == 2 + 3
    clips = sorted(charge.at for charge in video_vendor.charges())
    assert len(clips) == 3
    assert all(b - a >= JOB_SECONDS for a, b in pairwise(clips))
    calls = stack.rows(
        "SELECT state, count(*) FROM provider_jobs WHERE scene < 90 AND session_id IN (%s, %s) "
        "GROUP BY state",
        *(video["id"] for video in videos),
    )
    assert {call["state"]: call["count"] for call in calls} == {"succeeded": 8, "refused": 1}
