"""Business metrics: outcomes of runs, durations of stages, and spend at providers.

Each is written to the log at once, in CloudWatch's embedded metric format, with separate
dimensions. The dimension `service` is the same for all of them, because several functions end runs
and make calls, and an alarm watches one metric. CloudWatch charges for every value of a dimension
(docs/operations.md), so dimensions have few values.
"""

from collections import defaultdict
from collections.abc import Sequence

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from common.database.runs import RunEvent
from common.database.usage import ProviderSpend
from common.domain.video import Stage, Status

SERVICE = "runs"


def record_run_end(outcome: Status, code: str | None = None) -> None:
    """Count a run that ended, by outcome, and a failed one also by its error code."""
    _write("RunsEnded", MetricUnit.Count, [1], outcome=outcome.value)
    if code is not None:
        _write("RunsFailed", MetricUnit.Count, [1], code=code)


def record_stage_seconds(events: Sequence[RunEvent]) -> None:
    """Write the durations of the stages of a finished run; `events` are its timeline."""
    for stage, seconds in stage_seconds(events).items():
        _write("StageSeconds", MetricUnit.Seconds, seconds, stage=stage.value)


def record_possible_duplicate() -> None:
    """Count a paid call that was repeated while the outcome of the previous one is unknown."""
    _write("PossibleDuplicates", MetricUnit.Count, [1])


def record_spend(spends: Sequence[ProviderSpend]) -> None:
    """Write the US dollars that paid calls cost, or may have cost; nothing if there were none."""
    for spend in spends:
        _write("UsdToday", MetricUnit.NoUnit, [float(spend.today_usd)], provider=spend.provider)
    if last_hour := sum(spend.last_hour_usd for spend in spends):
        _write("UsdLastHour", MetricUnit.NoUnit, [float(last_hour)])


def stage_seconds(events: Sequence[RunEvent]) -> dict[Stage, list[float]]:
    """Return the duration of each step of a run in seconds, by stage; one value for each scene.

    A step begins when the previous step of the same scene succeeded, or of the whole run if that is
    later or the scene has none, and ends when it succeeds. So the duration includes the wait for a
    provider slot and for one of the scenes that the state machine makes in parallel.
    """
    durations: dict[Stage, list[float]] = defaultdict(list)
    if not events:
        return durations
    run_at = latest = events[0].at
    scenes = dict.fromkeys((event.scene for event in events if event.scene), run_at)
    for event in events:
        name, _, outcome = event.type.partition(".")
        if outcome != Status.SUCCEEDED:
            continue
        stage = Stage.FINISH if name == "run" else Stage(name)
        begin = max(scenes[event.scene], run_at) if event.scene else latest
        durations[stage].append(max(0.0, (event.at - begin).total_seconds()))
        latest = event.at
        if event.scene:
            scenes[event.scene] = event.at
        else:
            run_at = event.at
    return durations


def _write(name: str, unit: MetricUnit, values: Sequence[float], **dimensions: str) -> None:
    metrics = EphemeralMetrics(service=SERVICE)
    for key, text in dimensions.items():
        metrics.add_dimension(key, text)
    for value in values:
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
