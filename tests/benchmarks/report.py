"""Timing side by side: runs alternate, so that a slow minute of the machine hits both sides."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each run, in the order of the runs."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.seconds)

    def over(self, baseline: "Timing") -> float:
        """The median of the ratios of runs that stood side by side."""
        pairs = zip(self.seconds, baseline.seconds, strict=True)
        return statistics.median(mine / other for mine, other in pairs)


def side_by_side(
    actions: Mapping[str, Callable[[], object]],
    runs: int,
    before: Callable[[], object] = lambda: None,
    *,
    warm_up: int = 1,
) -> dict[str, Timing]:
    """Run every action `runs` times, in turns, after `warm_up` turns that do not count.

    `before` is called before each of them, and its time is not measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(warm_up + runs):
        for name, action in actions.items():
            before()
            started = time.perf_counter()
            action()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(values) for name, values in seconds.items()}


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table; the first column to the left, figures to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}", flush=True)
    for row in [head, ["-" * width for width in widths], *rows]:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join([row[0].ljust(widths[0]), *others]) if first else "", flush=True)
