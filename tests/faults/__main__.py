"""`make faults`: crash points, fault matrix and state space of runs, printed as tables."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from tests.faults import cells, crash_points, matrix, recoveries, state_space
from tests.faults.world import World, world

_PAIRS = 200
_ACTIONS = 3

Verdict = TypeVar("Verdict")


def main() -> int:
    """Run everything; return 1 if any result is not as required."""
    os.environ["POWERTOOLS_TRACE_DISABLED"] = "true"
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as live:
        wrong = _crash_points(live) + _matrix(live)
    wrong += _states()
    print(f"in {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def _crash_points(live: World) -> int:
    names = live.submit(crash_points.passages).result()
    narrated_names = live.submit(crash_points.passages, narrated=True).result()
    print(
        f"A run of two scenes makes {len(names)} port calls; narrated, {len(narrated_names)}.",
        flush=True,
    )
    points = [
        *crash_points.singles(names),
        *crash_points.resubmits(names),
        *crash_points.pairs(names, _PAIRS),
    ]
    spoken = crash_points.of_speech(crash_points.singles(narrated_names))
    doubts, of_speech = crash_points.doubtful(names), crash_points.doubtful(narrated_names)
    verdicts = [
        *(live.submit(crash_points.strike, point, doubts) for point in points),
        *(live.submit(crash_points.strike, point, of_speech) for point in spoken),
    ]
    tried, wrong = _wait(verdicts, lambda v: str(v) if v.wrong else "")
    print(crash_points.table(tried))
    wrong += _recoveries(live)
    controls = crash_points.controls(names)
    naive = [live.submit(crash_points.strike_naively, p, names) for p in controls]
    caught, missed = _wait(naive, lambda v: "" if v.judgement.paid_twice else str(v))
    _print_control(len(caught) - missed, len(caught))
    return wrong + missed


def _recoveries(live: World) -> int:
    """Inject faults into the recoveries of a clip, which an undisturbed run does not use."""
    verdicts = []
    for way in recoveries.WAYS:
        names = live.submit(recoveries.passages, way).result()
        doubts = crash_points.doubtful(names)
        verdicts += [
            live.submit(recoveries.strike, way, point, doubts) for point in recoveries.points(names)
        ]
    tried, wrong = _wait(verdicts, lambda v: str(v) if v.wrong else "")
    print(crash_points.table(tried))
    return wrong


def _matrix(live: World) -> int:
    print("\nThe fault matrix", flush=True)
    verdicts = [live.submit(cells.attempt, cell) for cell in matrix.cells()]
    tried, wrong = _wait(verdicts, lambda one: "" if one.right else cells.difference(one))
    print(cells.table(tried))
    naive = [live.submit(cells.attempt, cell, naive=True) for cell in matrix.controls()]
    caught, missed = _wait(naive, lambda v: "" if v.judgement.paid_twice else v.cell.name)
    _print_control(len(caught) - missed, len(caught))
    return wrong + missed


def _states() -> int:
    print("\nThe state space of failing, fixing, resuming and canceling", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = state_space.explore(Path(folder), _ACTIONS)
    print(found.table())
    return found.bad


def _print_control(caught: int, tried: int) -> None:
    print(f"control without idempotency: paid twice in {caught} of {tried}", flush=True)


def _wait(
    waiting: "Sequence[Future[Verdict]]", complaint: Callable[[Verdict], str]
) -> tuple[list[Verdict], int]:
    """Return all verdicts and the number of failed ones, which are printed at once."""
    verdicts, wrong = [], 0
    for number, future in enumerate(waiting, 1):
        verdicts.append(future.result())
        if text := complaint(verdicts[-1]):
            wrong += 1
            print(text, file=sys.stderr, flush=True)
        if number % 100 == 0:
            print(f"  {number} of {len(waiting)}", flush=True)
    return verdicts, wrong


if __name__ == "__main__":
    raise SystemExit(main())
