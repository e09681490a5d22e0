"""Business metrics: how runs end, how long their stages take, what providers cost.

Each is written to the log at once, in CloudWatch's embedded metric format, with dimensions of its
own. `service` is the same in all of them, because several functions end runs and make calls, and an
alarm watches one metric. Every value of a dimension is a metric that is paid for
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
    """Count a run that ended, by outcome; a failed one also by its error code."""
    _write("RunsEnded", MetricUnit.Count, [1], outcome=outcome.value)
    if code is not None:
        _write("RunsFailed", MetricUnit.Count, [1], code=code)


def record_stage_seconds(events: Sequence[RunEvent]) -> None:
    """Write how long the stages of a finished run took; `events` are its timeline."""
    for stage, seconds in stage_seconds(events).items():
        _write("StageSeconds", MetricUnit.Seconds, seconds, stage=stage.value)


def record_possible_duplicate() -> None:
    """Count a paid call that was made again while the outcome of the one before is unknown."""
    _write("PossibleDuplicates", MetricUnit.Count, [1])


def record_spend(spends: Sequence[ProviderSpend]) -> None:
    """Write the US dollars that paid calls cost, or may cost; nothing while there are none."""
    for spend in spends:
        _write("UsdToday", MetricUnit.NoUnit, [float(spend.today_usd)], provider=spend.provider)
    if last_hour := sum(spend.last_hour_usd for spend in spends):
        _write("UsdLastHour", MetricUnit.NoUnit, [float(last_hour)])


def stage_seconds(events: Sequence[RunEvent]) -> dict[Stage, list[float]]:
    """Return how long each step of a run took, by stage; several values where there are scenes.

    A step takes from the success of the step before it to its own: of the same scene, or of the
    whole run where that is later or there is none. So waiting counts, for a provider as for a place
    among the scenes that are made at a time.
    """
    taken: dict[Stage, list[float]] = defaultdict(list)
    if not events:
        return taken
    whole = latest = events[0].at
    scenes = dict.fromkeys((event.scene for event in events if event.scene), whole)
    for event in events:
        name, _, outcome = event.type.partition(".")
        if outcome != Status.SUCCEEDED:
            continue
        stage = Stage.FINISH if name == "run" else Stage(name)
        before = max(scenes[event.scene], whole) if event.scene else latest
        taken[stage].append(max(0.0, (event.at - before).total_seconds()))
        latest = event.at
        if event.scene:
            scenes[event.scene] = event.at
        else:
            whole = event.at
    return taken


def _write(name: str, unit: MetricUnit, values: Sequence[float], **dimensions: str) -> None:
    written = EphemeralMetrics(service=SERVICE)
    for key, text in dimensions.items():
        written.add_dimension(key, text)
    for value in values:
        written.add_metric(name, unit, value)
    written.flush_metrics()
