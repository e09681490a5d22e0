"""Timing side by side: runs alternate, so that a slow minute of the machine hits both sides."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each run, on the clock and of processors, in the order of the runs."""

    seconds: list[float]
    processor: list[float]

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.seconds)

    def over(self, baseline: "Timing") -> float:
        """The median of the ratios of runs that stood side by side."""
        return _over(self.seconds, baseline.seconds)

    def processor_over(self, baseline: "Timing") -> float:
        """The same of processor-seconds, which a busy machine changes less."""
        return _over(self.processor, baseline.processor)

    def __add__(self, other: "Timing") -> "Timing":
        """Return what both take, one after the other."""
        return Timing(
            [mine + its for mine, its in zip(self.seconds, other.seconds, strict=True)],
            [mine + its for mine, its in zip(self.processor, other.processor, strict=True)],
        )


def _over(mine: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))


def processor_seconds() -> float:
    """Return what this process and its children that have ended took so far."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


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
    timings = {name: Timing([], []) for name in actions}
    for turn in range(warm_up + runs):
        for name, action in actions.items():
            before()
            started, worked = time.perf_counter(), processor_seconds()
            action()
            if turn >= warm_up:
                timings[name].seconds.append(time.perf_counter() - started)
                timings[name].processor.append(processor_seconds() - worked)
    return timings


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table; the first column to the left, figures to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}", flush=True)
    for row in [head, ["-" * width for width in widths], *rows]:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join([row[0].ljust(widths[0]), *others]) if first else "", flush=True)
