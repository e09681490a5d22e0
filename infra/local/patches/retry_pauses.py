"""Gap: MiniStack's retry backoff ignores MaxDelaySeconds and JitterStrategy."""

import random
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Compute the delay here, and pass it on as the interval of a retrier without backoff."""
    engine = _ministack.module("services.stepfunctions")
    find = engine._find_matching_retrier

    def find_with_delay(retriers: Any, error: str, counts: dict[int, int]) -> Any:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1)
        delay *= retrier.get("BackoffRate", 2) ** counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)  # noqa: S311  # not a secret
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index

    engine._find_matching_retrier = find_with_delay
