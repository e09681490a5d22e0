"""The dashboard, alarms and budget, compared with the metrics that functions write."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from common.database.runs import RunEvent
from common.database.usage import ProviderSpend
from common.domain.video import Stage, Status
from infra import config
from infra.app import synthesize
from tests.infra.template import Json, Template, as_list
from tests.infra.test_template import lint
from tests.support.emf import metrics

# Written with the function as the service, by `common.application.billing.provider_queue`.
_BY_FUNCTION = {("StepWaits", frozenset({"service"}))}
MetricSet = set[tuple[str, frozenset[str]]]


@pytest.fixture
def written_metrics(capsys: pytest.CaptureFixture[str]) -> MetricSet:
    """Names and dimensions of the metrics that functions write."""
    from common.application import (
        run_metrics,  # imported late: Powertools reads its settings at import
    )

    for outcome in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED):
        run_metrics.record_run_end(outcome, "internal" if outcome is Status.FAILED else None)
    began = datetime.now(UTC)
    names = ["run.queued", *(f"{stage}.succeeded" for stage in Stage if stage != "finish")]
    names.append("run.succeeded")
    run_metrics.record_stage_seconds(
        [RunEvent(began + timedelta(seconds=n), name, None, {}) for n, name in enumerate(names)]
    )
    run_metrics.record_possible_duplicate()
    run_metrics.record_spend([ProviderSpend("runway", Decimal(1), Decimal(1))])
    found = metrics(capsys.readouterr().out)
    return {
        (metric.name, frozenset(key for key, _ in metric.dimensions)) for metric in found
    } | _BY_FUNCTION


def dashboard(template: Template) -> Json:
    """Return the dashboard's body, with `X` in place of references."""
    body = template.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    parts = body["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else "X" for part in parts))


def dashboard_metrics(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield names and dimensions of the stage's metrics on the dashboard."""
    namespace = f"VideoGenerator-{template.stage}"
    for widget in dashboard(template)["widgets"]:
        for row in widget["properties"]["metrics"]:
            if row[0] == namespace:
                yield row[1], frozenset(row[2::2][: (len(row) - 2) // 2])
            elif isinstance(row[0], dict) and "SEARCH" in row[0].get("expression", ""):
                match = re.search(r'\{(.+?)\} MetricName="(\w+)"', row[0]["expression"])
                assert match
                namespace_, *dimensions = match[1].split(",")
                assert namespace_ == namespace
                yield match[2], frozenset(dimensions)


def test_dashboard_shows_every_written_metric(
    template: Template, written_metrics: MetricSet
) -> None:
    assert set(dashboard_metrics(template)) == written_metrics


def test_metrics_namespace_contains_stage(template: Template) -> None:
    for properties in template.functions.values():
        variables = properties["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == f"VideoGenerator-{template.stage}"


def test_dashboard_fits_into_free_tier(template: Template) -> None:
    """CloudWatch's free tier has three dashboards of up to 50 metrics."""
    rows = [
        row
        for widget in dashboard(template)["widgets"]
        for row in widget["properties"]["metrics"]
        if not isinstance(row[0], dict)
    ]
    assert len(rows) <= 40, "the search for error codes needs the rest"


def test_alarms_watch_spend_and_possible_duplicates(template: Template) -> None:
    alarms = {
        properties["MetricName"]: properties
        for properties in template.of_type("AWS::CloudWatch::Alarm").values()
        if properties.get("Namespace") == f"VideoGenerator-{template.stage}"
    }
    assert alarms.keys() == {"UsdLastHour", "PossibleDuplicates"}
    for alarm in alarms.values():
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "runs"}]
        assert alarm["TreatMissingData"] == "notBreaching", "nothing is written while idle"
    assert (alarms["UsdLastHour"]["Statistic"], alarms["UsdLastHour"]["Threshold"]) == (
        "Maximum",
        25,
    )
    assert alarms["PossibleDuplicates"]["Threshold"] == 1


@pytest.fixture(scope="module")
def with_budget(layers: object, tmp_path_factory: pytest.TempPathFactory) -> Template:
    changes = {
        "alarm_email": "ops@example.com",
        "hourly_alarm_usd": "4.50",
        "monthly_budget_usd": "60",
    }
    return Template(
        "dev", synthesize(config.stage("dev", changes), tmp_path_factory.mktemp("budget"))
    )


def test_budget_is_created_only_if_configured(template: Template, with_budget: Template) -> None:
    assert template.of_type("AWS::Budgets::Budget") == {}
    budget = with_budget.only("AWS::Budgets::Budget")
    data = budget["Budget"]
    assert data["BudgetLimit"] == {"Amount": 60, "Unit": "USD"}
    assert (data["TimeUnit"], data["BudgetType"]) == ("MONTHLY", "COST")
    assert data["CostFilters"] == {"TagKeyValue": ["user:stack$VideoGenerator-dev"]}
    topic = with_budget.only("AWS::SNS::Subscription")["TopicArn"]
    warnings = budget["NotificationsWithSubscribers"]
    assert {
        (w["Notification"]["NotificationType"], w["Notification"]["Threshold"]) for w in warnings
    } == {("ACTUAL", 80), ("FORECASTED", 100)}
    for warning in warnings:
        assert warning["Subscribers"] == [{"SubscriptionType": "SNS", "Address": topic}]
    thresholds = {a["Threshold"] for a in with_budget.of_type("AWS::CloudWatch::Alarm").values()}
    assert 4.5 in thresholds


def test_alarm_topic_accepts_alarms_and_budgets(template: Template, with_budget: Template) -> None:
    def senders(template: Template) -> set[str]:
        statements = template.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        allowed = [s for s in statements if s["Effect"] == "Allow"]
        for statement in allowed:
            assert statement["Condition"]["StringEquals"].keys() == {"aws:SourceAccount"}
        return {name for s in allowed for name in as_list(s["Principal"]["Service"])}

    assert senders(template) == {"cloudwatch.amazonaws.com"}
    assert senders(with_budget) == {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}


def test_template_with_budget_passes_cfn_lint(with_budget: Template) -> None:
    assert lint(with_budget.path) == []


def test_operations_guide_documents_every_alarm(template: Template) -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \|", text.partition("\n## Alarms")[2].partition("\n## ")[0], re.M
    )
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    named = {template.construct_paths[name].split("/")[-2] for name in alarms}
    assert len(rows) == len(set(rows))
    assert set(rows) == named | {"NatHost", "NatSystem"}  # of `dev` alone
