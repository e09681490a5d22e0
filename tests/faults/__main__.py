"""`make crash-points`: every crash point of a run, in two worlds; prints the outcome."""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import crash_points
from tests.faults.crash_points import Verdict
from tests.faults.world import World, world

_WORLDS = 2


def main() -> int:
    """Return 1 if any step was paid twice or lost, or any run did not end."""
    os.environ["POWERTOOLS_TRACE_DISABLED"] = "true"
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        roots = [Path(folder) / str(n) for n in range(_WORLDS)]
        for root in roots:
            root.mkdir()
        with world(roots[0]) as first, world(roots[1]) as second:
            names = crash_points.points(first)
            with ThreadPoolExecutor(_WORLDS) as pool:
                parts = pool.map(
                    lambda part: _kill_all(part[0], names, part[1]), ((first, 1), (second, 2))
                )
                verdicts = [verdict for part in parts for verdict in part]
    print(crash_points.table(verdicts))
    print(f"in {time.monotonic() - started:.0f} s")
    wrong = [v for v in verdicts if v.paid_twice or v.lost or v.stuck]
    for verdict in wrong:
        print(verdict, file=sys.stderr)
    return 1 if wrong else 0


def _kill_all(live: World, names: list[str], first: int) -> list[Verdict]:
    verdicts = []
    for point in range(first, len(names) + 1, _WORLDS):
        verdicts.append(crash_points.kill(live, point, names[point - 1]))
        if len(verdicts) % 20 == 0:
            print(f"  {point} of {len(names)}", flush=True)
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
