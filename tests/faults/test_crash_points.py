"""A deterministic part of the crash points (`make faults` runs all), and a control."""

import pytest

from tests.faults import crash_points, recoveries
from tests.faults.crash_points import DONE, Point, Verdict
from tests.faults.world import World

_PAIRS = 8


@pytest.fixture(scope="module")
def names(live: World) -> list[str]:
    return live.submit(crash_points.passages).result()


def strike_all(live: World, points: list[Point], names: list[str]) -> list[Verdict]:
    doubts = crash_points.doubtful(names)
    waiting = [live.submit(crash_points.strike, point, doubts) for point in points]
    verdicts = [future.result() for future in waiting]
    print(crash_points.table(verdicts))
    return verdicts


def test_port_calls_of_run_are_deterministic(live: World, names: list[str]) -> None:
    """Points are identified by their number, so runs must be deterministic."""
    assert live.submit(crash_points.passages).result() == names


def test_crashed_worker_never_pays_twice_and_run_ends(live: World, names: list[str]) -> None:
    points = list(crash_points.share(names))
    assert len(points) > 140
    verdicts = strike_all(live, points, names)
    assert [verdict for verdict in verdicts if verdict.wrong] == []


def test_repeatedly_crashed_worker_never_pays_twice(live: World, names: list[str]) -> None:
    verdicts = strike_all(live, list(crash_points.pairs(names, _PAIRS)), names)
    assert [verdict for verdict in verdicts if verdict.wrong] == []


def test_crashed_narrated_run_never_pays_twice(live: World) -> None:
    spoken = live.submit(crash_points.passages, narrated=True).result()
    points = list(crash_points.of_speech(crash_points.share(spoken)))
    assert len(points) > 30
    verdicts = strike_all(live, points, spoken)
    assert [verdict for verdict in verdicts if verdict.wrong] == []


@pytest.mark.parametrize("way", recoveries.WAYS, ids=lambda way: way.name)
def test_crashed_clip_recovery_never_pays_twice(live: World, way: recoveries.Way) -> None:
    passed = live.submit(recoveries.passages, way).result()
    doubts, points = crash_points.doubtful(passed), list(recoveries.share(passed))
    assert len(points) > 8
    waiting = [live.submit(recoveries.strike, way, point, doubts) for point in points]
    verdicts = [future.result() for future in waiting]
    assert [verdict for verdict in verdicts if verdict.wrong] == []


def test_resubmit_policy_repeats_unknown_call_once_and_flags_it(
    live: World, names: list[str]
) -> None:
    points = list(crash_points.resubmits(names))[::2]
    verdicts = strike_all(live, points, names)
    assert [verdict for verdict in verdicts if verdict.wrong] == []
    assert {(v.final, v.judgement.flagged) for v in verdicts} == {(DONE, 1)}


def test_judge_detects_double_payment_without_protocol(live: World, names: list[str]) -> None:
    controls = list(crash_points.controls(names))
    waiting = [live.submit(crash_points.strike_naively, point, names) for point in controls]
    assert len(controls) == 10
    assert [v for v in (one.result() for one in waiting) if v.judgement.paid_twice != 1] == []
