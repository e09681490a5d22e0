"""The dashboard and the alarms watch metrics that something writes, under the same dimensions."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.database.runs import RunEvent
from common.database.usage import ProviderSpend
from common.video import Stage, Status
from tests.emf import metrics
from tests.infra.template import Json, Template

# Written with the function as the service, by `common.waiting`.
_BY_FUNCTION = {("StepWaits", frozenset({"service"}))}
Watched = set[tuple[str, frozenset[str]]]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Watched:
    """Names and dimensions of what functions write, each metric once."""
    from common import run_metrics  # late: Powertools reads its settings when it is imported

    for outcome in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED):
        run_metrics.run_ended(outcome, "internal" if outcome is Status.FAILED else None)
    began = datetime.now(UTC)
    names = ["run.queued", *(f"{stage}.succeeded" for stage in Stage if stage != "finish")]
    names.append("run.succeeded")
    run_metrics.stages_took(
        [RunEvent(began + timedelta(seconds=n), name, None, {}) for n, name in enumerate(names)]
    )
    run_metrics.submitted_again()
    run_metrics.spent([ProviderSpend("runway", Decimal(1), Decimal(1))])
    found = metrics(capsys.readouterr().out)
    return {
        (metric.name, frozenset(key for key, _ in metric.dimensions)) for metric in found
    } | _BY_FUNCTION


def dashboard(template: Template) -> Json:
    """The dashboard's body, with `X` where the template fills something in."""
    body = template.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    parts = body["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else "X" for part in parts))


def on_dashboard(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    """Names and dimensions of the stage's own metrics on the dashboard."""
    namespace = f"VideoGenerator-{template.stage}"
    for widget in dashboard(template)["widgets"]:
        for row in widget["properties"]["metrics"]:
            if row[0] == namespace:
                yield row[1], frozenset(row[2::2][: (len(row) - 2) // 2])
            elif isinstance(row[0], dict) and "SEARCH" in row[0].get("expression", ""):
                match = re.search(r'\{(.+?)\} MetricName="(\w+)"', row[0]["expression"])
                assert match
                place, *dimensions = match[1].split(",")
                assert place == namespace
                yield match[2], frozenset(dimensions)


def test_the_dashboard_shows_every_business_metric(template: Template, written: Watched) -> None:
    assert set(on_dashboard(template)) == written


def test_functions_write_into_the_namespace_of_their_stage(template: Template) -> None:
    for properties in template.functions.values():
        variables = properties["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == f"VideoGenerator-{template.stage}"


def test_a_free_dashboard_is_enough(template: Template) -> None:
    """CloudWatch's free tier: three dashboards of up to 50 metrics."""
    rows = [
        row
        for widget in dashboard(template)["widgets"]
        for row in widget["properties"]["metrics"]
        if not isinstance(row[0], dict)
    ]
    assert len(rows) <= 40, "the search for error codes needs the rest"
