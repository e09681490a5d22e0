"""Gap: MiniStack's pauses before a retry know neither MaxDelaySeconds nor JitterStrategy."""

import random
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Hand the interpreter the pause itself, as the interval of a retrier that does not grow."""
    engine = _ministack.module("services.stepfunctions")
    find = engine._find_matching_retrier

    def find_with_pause(retriers: Any, error: str, counts: dict[int, int]) -> Any:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return retrier, index
        pause = retrier.get("IntervalSeconds", 1)
        pause *= retrier.get("BackoffRate", 2) ** counts.get(index, 0)
        pause = min(pause, retrier.get("MaxDelaySeconds", pause))
        if retrier.get("JitterStrategy") == "FULL":
            pause = random.uniform(0, pause)  # noqa: S311  # nothing secret
        return {**retrier, "IntervalSeconds": pause, "BackoffRate": 1}, index

    engine._find_matching_retrier = find_with_pause
