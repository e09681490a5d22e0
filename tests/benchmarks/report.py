"""Timing with alternating runs, so that load on the machine affects all candidates equally."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Wall-clock and CPU seconds of each run, in order."""

    seconds: list[float]
    processor: list[float]

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    def over(self, baseline: "Timing") -> float:
        """Return the median of the ratios of adjacent runs."""
        return _over(self.seconds, baseline.seconds)

    def processor_over(self, baseline: "Timing") -> float:
        """Return the same for CPU seconds, which other load affects less."""
        return _over(self.processor, baseline.processor)

    def __add__(self, other: "Timing") -> "Timing":
        """Return the sum of both timings, run by run."""
        return Timing(
            [a + b for a, b in zip(self.seconds, other.seconds, strict=True)],
            [a + b for a, b in zip(self.processor, other.processor, strict=True)],
        )


def _over(values: Sequence[float], baseline: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(values, baseline, strict=True))


def processor_seconds() -> float:
    """Return the CPU seconds of this process and its ended children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def side_by_side(
    actions: Mapping[str, Callable[[], object]],
    runs: int,
    before: Callable[[], object] = lambda: None,
    *,
    warm_up: int = 1,
) -> dict[str, Timing]:
    """Run every action `runs` times in turns, after `warm_up` unmeasured turns.

    `before` is called before each action and is not measured.
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
    """Print a table with the first column left-aligned and others right-aligned."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}", flush=True)
    for row in [head, ["-" * width for width in widths], *rows]:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join([row[0].ljust(widths[0]), *others]) if first else "", flush=True)
