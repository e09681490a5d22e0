"""Runs in an account in which ten functions may run at a time, as in a new one.

Everything in the account counts: the scenes of a run, the authorizer and the API, other runs. What
Lambda refuses never ran. Time is virtual.
"""

import asyncio
import copy
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from clip.job import MAX_POLLS
from common.domain.video import MAX_SCENES
from infra import config
from tests.faults.machine import Ended, Machine, TaskFailed, deployed
from tests.infra import virtual_time
from tests.infra.history import Run, events, states
from tests.infra.template import Json

CONCURRENCY = 10
THROTTLED = "Lambda.TooManyRequestsException"
SCENES_AT_A_TIME = config.STAGES["prod"].scene_concurrency
# How long a state's function runs: a paid picture takes a minute, and up to six.
SECONDS = {
    "WriteStory": 40,
    "PaintAnchor": 70,
    "PaintImage": 70,
    "StartClip": 8,
    "CheckClip": 1,
    "CollectClip": 10,
    "MergeClips": 60,
    "Finish": 1,
    "RecordSceneFailure": 1,
    "RecordFailure": 1,
}
MOST_EVENTS = 25_000


@dataclass
class Account:
    """Lambda, which refuses what is more than `limit` at a time."""

    random: Random
    limit: int = CONCURRENCY
    running: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    async def invoke(self, what: str, seconds: float) -> None:
        if self.running >= self.limit:
            self.refused[what] += 1
            raise TaskFailed(THROTTLED)
        self.running += 1
        try:
            await asyncio.sleep(seconds * self.random.uniform(0.7, 1.5))
        finally:
            self.running -= 1

    async def wait_for_the_end(self) -> None:
        """A client that always has a request open, as the documentation tells it to."""
        while True:
            try:
                await self.invoke("authorizer", 0.1)
                await self.invoke("api", 25)
            except TaskFailed:
                await asyncio.sleep(5)  # Retry-After

    async def run(self, scenes: int, polls: int, definition: Json | None = None) -> Ended:
        """Make a video of so many scenes, each clip polled so often."""
        polled: Counter[int] = Counter()

        async def invoke(state: str, _function: str, event: Json) -> Json:
            await self.invoke(state, SECONDS[state])
            answer: Json = {
                "status": "succeeded",
                "scenes": list(range(1, scenes + 1)),
                "narrated": False,
                "wait_seconds": 30,
            }
            if state == "CheckClip":
                polled[event["scene"]] += 1
                if polled[event["scene"]] < polls:
                    answer["status"] = "running"
            return answer

        machine = Machine(
            invoke,
            asyncio.sleep,
            definition=definition,
            scenes_at_a_time=SCENES_AT_A_TIME,
            random=self.random,
        )
        return await machine.execute({"run_id": "run_1", "video_id": "vid_1", "step": "all"})


async def crowded(
    account: Account, clients: int, runs: int, scenes: int, polls: int, definition: Json | None
) -> list[Ended]:
    """Let clients wait while the runs go on."""
    waiting = [asyncio.ensure_future(account.wait_for_the_end()) for _ in range(clients)]
    try:
        made = (account.run(scenes, polls, definition) for _ in range(runs))
        return await asyncio.gather(*made)
    finally:
        for client in waiting:
            client.cancel()


def before() -> Json:
    """The definition with what it had before: two more attempts, after 10 and 30 seconds."""
    definition = copy.deepcopy(deployed())
    for _, state in states(definition):
        if state["Type"] == "Task":
            refused = {"ErrorEquals": [THROTTLED], "IntervalSeconds": 10, "MaxAttempts": 2}
            state["Retry"][0] = {**refused, "BackoffRate": 3}
    return definition


@pytest.mark.parametrize("seed", range(20))
def test_six_scenes_are_made_while_clients_wait(seed: int) -> None:
    account = Account(Random(seed))
    (ended,) = virtual_time.run(crowded(account, 8, 1, 6, 4, None))
    assert sum(account.refused[state] for state in SECONDS) > 0
    assert ended.status == "SUCCEEDED"


def test_six_scenes_failed_before() -> None:
    results = [
        virtual_time.run(crowded(Account(Random(seed)), 8, 1, 6, 4, before()))[0].status
        for seed in range(20)
    ]
    assert results.count("FAILED") > 10


@pytest.mark.parametrize("seed", range(5))
def test_three_runs_share_the_account(seed: int) -> None:
    results = virtual_time.run(crowded(Account(Random(seed)), 3, 3, 6, 4, None))
    assert [ended.status for ended in results] == ["SUCCEEDED"] * 3


def test_the_largest_throttled_run_fits_into_its_history() -> None:
    account = Account(Random(1))
    (ended,) = virtual_time.run(crowded(account, 6, 1, MAX_SCENES, MAX_POLLS, None))
    assert ended.status == "SUCCEEDED"
    refused = sum(account.refused[state] for state in SECONDS)
    assert refused > MAX_SCENES
    undisturbed = events(deployed(), Run(MAX_SCENES, {"WaitForClip": MAX_POLLS}))
    assert undisturbed + 3 * refused < MOST_EVENTS


def test_hours_without_lambda_fit_into_the_history() -> None:
    """Scenes at a time, an attempt each half a minute on average, three events each."""
    retrier = deployed()["States"]["WriteStory"]["Retry"][0]
    events_per_hour = SCENES_AT_A_TIME * 3 * 3600 / (retrier["MaxDelaySeconds"] / 2)
    undisturbed = events(deployed(), Run(MAX_SCENES, {"WaitForClip": MAX_POLLS}, narrated=True))
    assert undisturbed + 3 * events_per_hour < MOST_EVENTS
