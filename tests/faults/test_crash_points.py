"""A deterministic share of the crash points (`make crash-points` tries all), and the control."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import crash_points
from tests.faults.world import World, world

_EVERY = 30


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("faults")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    with world(Path(root)) as made:
        yield made


@pytest.fixture(scope="module")
def names(live: World) -> list[str]:
    return crash_points.points(live)


def test_a_killed_worker_never_pays_twice_and_always_ends(live: World, names: list[str]) -> None:
    verdicts = [
        crash_points.kill(live, point, names[point - 1])
        for point in crash_points.share(names, _EVERY)
    ]
    print(crash_points.table(verdicts))
    assert len(verdicts) >= 25
    wrong = [
        verdict
        for verdict in verdicts
        if verdict.paid_twice
        or verdict.flagged
        or verdict.lost
        or verdict.stuck
        or not (verdict.ended == "succeeded" or "outcome_unknown" in verdict.ended)
    ]
    assert wrong == []
    # Where the answer was in hand before the worker died, nothing is parked.
    assert sum(verdict.ended == "succeeded" for verdict in verdicts) > len(verdicts) / 2


def test_under_the_policy_it_is_made_once_more_and_flagged(live: World, names: list[str]) -> None:
    first_call = next(n for n, name in enumerate(names, start=1) if name == "after http")
    verdict = crash_points.kill(live, first_call, names[first_call - 1], on_unknown="resubmit_once")
    assert (verdict.ended, verdict.flagged, verdict.paid_twice) == ("succeeded", 1, 0)


def test_the_judge_catches_a_worker_that_knows_no_protocol(live: World, names: list[str]) -> None:
    calls = [n for n, name in enumerate(names, start=1) if name == "after http"][:2]
    caught = [crash_points.kill(live, n, names[n - 1], naive=True) for n in calls]
    assert [verdict.paid_twice for verdict in caught] == [1, 1]
