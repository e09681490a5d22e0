"""Simulated runs in an account with a Lambda concurrency of ten, as in a new account.

Scenes, the authorizer, the API and other runs share the limit. A throttled function never ran. Time
is virtual.
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
from tests.faults.machine import ExecutionResult, Machine, TaskFailed, deployed
from tests.infra import virtual_time
from tests.infra.history import Run, events, states
from tests.infra.template import Json

CONCURRENCY = 10
THROTTLED = "Lambda.TooManyRequestsException"
SCENE_CONCURRENCY = config.STAGES["prod"].scene_concurrency
# Duration of each state's function. A paid image takes about a minute, at most six.
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
    """A simulated Lambda that throttles more than `limit` concurrent invocations."""

    random: Random
    limit: int = CONCURRENCY
    running: int = 0
    throttled: Counter[str] = field(default_factory=Counter)

    async def invoke(self, function: str, seconds: float) -> None:
        if self.running >= self.limit:
            self.throttled[function] += 1
            raise TaskFailed(THROTTLED)
        self.running += 1
        try:
            await asyncio.sleep(seconds * self.random.uniform(0.7, 1.5))
        finally:
            self.running -= 1

    async def poll_api(self) -> None:
        """Simulate a client with a request always open (`Prefer: wait`), as documented."""
        while True:
            try:
                await self.invoke("authorizer", 0.1)
                await self.invoke("api", 25)
            except TaskFailed:
                await asyncio.sleep(5)  # Retry-After

    async def run(self, scenes: int, polls: int, definition: Json | None = None) -> ExecutionResult:
        """Make a video of `scenes` scenes, each clip polled `polls` times."""
        polled: Counter[int] = Counter()

        async def invoke(state: str, _function: str, event: Json) -> Json:
            await self.invoke(state, SECONDS[state])
            response: Json = {
                "status": "succeeded",
                "scenes": list(range(1, scenes + 1)),
                "narrated": False,
                "wait_seconds": 30,
            }
            if state == "CheckClip":
                polled[event["scene"]] += 1
                if polled[event["scene"]] < polls:
                    response["status"] = "running"
            return response

        machine = Machine(
            invoke,
            asyncio.sleep,
            definition=definition,
            scenes_at_a_time=SCENE_CONCURRENCY,
            random=self.random,
        )
        return await machine.execute({"run_id": "run_1", "video_id": "vid_1", "step": "all"})


async def execute_with_clients(
    account: Account, clients: int, runs: int, scenes: int, polls: int, definition: Json | None
) -> list[ExecutionResult]:
    """Execute the runs while clients wait for them."""
    waiting = [asyncio.ensure_future(account.poll_api()) for _ in range(clients)]
    try:
        executions = (account.run(scenes, polls, definition) for _ in range(runs))
        return await asyncio.gather(*executions)
    finally:
        for client in waiting:
            client.cancel()


def definition_with_two_retries() -> Json:
    """Return a definition that retries throttling only twice, after 10 and 30 seconds."""
    definition = copy.deepcopy(deployed())
    for _, state in states(definition):
        if state["Type"] == "Task":
            retrier = {"ErrorEquals": [THROTTLED], "IntervalSeconds": 10, "MaxAttempts": 2}
            state["Retry"][0] = {**retrier, "BackoffRate": 3}
    return definition


@pytest.mark.parametrize("seed", range(20))
def test_throttled_run_of_six_scenes_succeeds_with_clients(seed: int) -> None:
    account = Account(Random(seed))
    (result,) = virtual_time.run(execute_with_clients(account, 8, 1, 6, 4, None))
    assert sum(account.throttled[state] for state in SECONDS) > 0
    assert result.status == "SUCCEEDED"


def test_throttled_run_fails_with_only_two_retries() -> None:
    results = [
        virtual_time.run(
            execute_with_clients(Account(Random(seed)), 8, 1, 6, 4, definition_with_two_retries())
        )[0].status
        for seed in range(20)
    ]
    assert results.count("FAILED") > 10


@pytest.mark.parametrize("seed", range(5))
def test_three_concurrent_runs_succeed_when_throttled(seed: int) -> None:
    results = virtual_time.run(execute_with_clients(Account(Random(seed)), 3, 3, 6, 4, None))
    assert [result.status for result in results] == ["SUCCEEDED"] * 3


def test_largest_throttled_run_fits_into_execution_history() -> None:
    account = Account(Random(1))
    (result,) = virtual_time.run(execute_with_clients(account, 6, 1, MAX_SCENES, MAX_POLLS, None))
    assert result.status == "SUCCEEDED"
    throttled = sum(account.throttled[state] for state in SECONDS)
    assert throttled > MAX_SCENES
    unthrottled_events = events(deployed(), Run(MAX_SCENES, {"WaitForClip": MAX_POLLS}))
    assert unthrottled_events + 3 * throttled < MOST_EVENTS


def test_hour_of_throttling_fits_into_execution_history() -> None:
    """Each concurrent scene retries every 30 s on average, with three events per attempt."""
    retrier = deployed()["States"]["WriteStory"]["Retry"][0]
    events_per_hour = SCENE_CONCURRENCY * 3 * 3600 / (retrier["MaxDelaySeconds"] / 2)
    unthrottled_events = events(
        deployed(), Run(MAX_SCENES, {"WaitForClip": MAX_POLLS}, narrated=True)
    )
    assert unthrottled_events + 3 * events_per_hour < MOST_EVENTS
