"""`make faults`: everything that can go wrong with a run, and what comes of it, as tables."""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from tests.faults import cells, crash_points, matrix
from tests.faults.world import World, world

_PAIRS = 200

Verdict = TypeVar("Verdict")


def main() -> int:
    """Return 1 if anything came out otherwise than it has to."""
    os.environ["POWERTOOLS_TRACE_DISABLED"] = "true"
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as live:
        wrong = _crash_points(live) + _matrix(live)
    print(f"in {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def _crash_points(live: World) -> int:
    names = live.submit(crash_points.passages).result()
    doubts = crash_points.doubtful(names)
    points = [
        *crash_points.singles(names),
        *crash_points.resubmits(names),
        *crash_points.pairs(names, _PAIRS),
    ]
    print(f"A run of two scenes passes {len(names)} times through its ports.", flush=True)
    verdicts = _wait([live.submit(crash_points.strike, point, doubts) for point in points])
    print(crash_points.table(verdicts))
    controls = crash_points.controls(names)
    naive = [live.submit(crash_points.strike, p, doubts, naive=True) for p in controls]
    missed = [verdict for verdict in _wait(naive) if not verdict.judgement.paid_twice]
    _say_control(len(naive) - len(missed), len(naive))
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    for verdict in (*wrong, *missed):
        print(verdict, file=sys.stderr)
    return len(wrong) + len(missed)


def _matrix(live: World) -> int:
    print("\nThe fault matrix", flush=True)
    tried = _wait([live.submit(cells.attempt, cell) for cell in matrix.cells()])
    print(cells.table(tried))
    naive = [live.submit(cells.attempt, cell, naive=True) for cell in matrix.controls()]
    missed = [one for one in _wait(naive) if not one.judgement.paid_twice]
    _say_control(len(naive) - len(missed), len(naive))
    wrong = [one for one in tried if not one.right]
    for one in (*wrong, *missed):
        print(cells.difference(one), file=sys.stderr)
    return len(wrong) + len(missed)


def _say_control(caught: int, tried: int) -> None:
    print(f"control without the protocol: paid twice in {caught} of {tried}", flush=True)


def _wait(waiting: "Sequence[Future[Verdict]]") -> list[Verdict]:
    verdicts = []
    for number, future in enumerate(waiting, 1):
        verdicts.append(future.result())
        if number % 100 == 0:
            print(f"  {number} of {len(waiting)}", flush=True)
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
