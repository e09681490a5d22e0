"""`make deploy` and `make bootstrap`: CDK calls, remaining steps and error messages."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions

from infra import config, kept_settings, node
from infra.operator import deploy, doctor
from infra.operator.checks import Finding, Level, Site
from infra.operator.errors import OperatorError, explain
from tests.infra.stubs import StubbedAws

DEV = "VideoGenerator-dev"
ARN = "arn:aws:secretsmanager:us-east-1:1:secret:Providers"
OUTPUTS = {"ApiUrl": "https://api.example/live/", "ProvidersSecretArn": ARN}
KEPT = {"nat_image": "ami-0123456789abcdef0"}
# A fake of the CDK CLI that records its arguments and writes the outputs.
CDK = """
import json, os, sys
arguments = sys.argv[3:]
names = ("AWS_REGION", "AWS_DEFAULT_REGION", "JSII_NODE")
called = {"arguments": arguments, "environment": {name: os.environ[name] for name in names}}
open(sys.argv[1], "w").write(json.dumps(called))
file = [a.partition("=")[2] for a in arguments if a.startswith("--outputs-file=")]
if file and sys.argv[2] == "0":
    open(file[0], "w").write(json.dumps({"VideoGenerator-dev": %r}))
sys.exit(int(sys.argv[2]))
"""


class Cli:
    """The fake CDK CLI: its exit status and its recorded call."""

    def __init__(self, folder: Path) -> None:
        self.status = 0
        self._script, self._called = folder / "cdk.py", folder / "called.json"
        self._script.write_text(CDK % OUTPUTS)

    def command(self, *_: str) -> list[str]:
        return [sys.executable, str(self._script), str(self._called), str(self.status)]

    @property
    def called(self) -> dict[str, Any] | None:
        if not self._called.exists():
            return None
        called: dict[str, Any] = json.loads(self._called.read_text())
        return called


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    cli = Cli(tmp_path)
    monkeypatch.setattr(node, "command", cli.command)
    monkeypatch.setattr(node, "PROJECT", tmp_path)
    monkeypatch.setattr(deploy, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    healthy(monkeypatch)
    monkeypatch.setattr(kept_settings, "deployed_settings", lambda name, **_: dict(KEPT))
    return cli


def healthy(monkeypatch: pytest.MonkeyPatch, level: Level = Level.OK) -> None:
    findings = [("all", Finding(level, "Status."))]
    monkeypatch.setattr(doctor, "before_deployment", lambda site: iter(findings))


def event(name: str, status: str, reason: str = "", **more: str) -> dict[str, Any]:
    return {
        "StackId": "stack",
        "EventId": "1",
        "StackName": DEV,
        "LogicalResourceId": name,
        "PhysicalResourceId": name,
        "ResourceType": "AWS::EC2::Instance",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": "2026-01-01",
        **more,
    }


def test_deploy_prints_remaining_steps(
    cli: Cli, aws: StubbedAws, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": "", "UNUSED": "x"}
    aws.respond(
        "secretsmanager",
        "get_secret_value",
        {"SecretString": json.dumps(secret)},
        {"SecretId": ARN},
    )
    deploy.deploy(site, {"log_level": "DEBUG"})
    assert cli.called is not None
    assert cli.called["arguments"][:2] == ["deploy", DEV]
    context = {"stage": "dev", "log_level": "DEBUG", **KEPT}
    assert {f"--context={key}={value}" for key, value in context.items()} <= {
        *cli.called["arguments"]
    }
    assert {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}.items() <= cli.called[
        "environment"
    ].items()
    output = capsys.readouterr().out
    assert f"--secret-id {ARN}" in output
    assert '{"OPENAI_API_KEY": "...", "RUNWAY_API_KEY": "..."}' in output
    assert "make key STAGE=dev" in output
    assert "UNUSED" not in output


def test_deploy_imports_retained_bucket(cli: Cli, aws: StubbedAws, site: Site) -> None:
    for changes, expected in (({}, False), ({"media_bucket": "retained-media"}, True)):
        aws.respond("secretsmanager", "get_secret_value", {"SecretString": "{}"})
        deploy.deploy(site, changes)
        assert cli.called is not None
        assert ("--import-existing-resources" in cli.called["arguments"]) is expected


def test_deploy_setting_overrides_kept_setting(cli: Cli, aws: StubbedAws, site: Site) -> None:
    secret = {"SecretString": "{}"}
    aws.respond("secretsmanager", "get_secret_value", secret)
    deploy.deploy(site, {"nat_image": ""})  # overrides the kept image with the newest
    assert cli.called is not None
    assert "--context=nat_image=" in cli.called["arguments"]
    assert f"--context=nat_image={KEPT['nat_image']}" not in cli.called["arguments"]


def test_deploy_stops_if_doctor_fails(
    cli: Cli, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(monkeypatch, Level.FAIL)
    with pytest.raises(OperatorError, match="Nothing was deployed"):
        deploy.deploy(site, {})
    assert cli.called is None


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "make destroy STAGE=dev"),
        ("ROLLBACK_FAILED", "make destroy STAGE=dev"),
        ("CREATE_FAILED", "make destroy STAGE=dev"),
        ("UPDATE_ROLLBACK_COMPLETE", "The previous version is still running"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_failed_deploy_reports_reason_and_remedy(
    cli: Cli, aws: StubbedAws, site: Site, status: str, remedy: str
) -> None:
    cli.status = 1
    aws.stack(DEV, status)
    events = [
        event(DEV, status, PhysicalResourceId="stack"),
        event("Subnet", "DELETE_FAILED", "has a dependent object"),
        event("Other", "CREATE_FAILED", "Resource creation cancelled"),
        event("Nat", "CREATE_FAILED", "t4g.nano is not supported in us-east-1a"),
        event("Vpc", "CREATE_COMPLETE"),
        event(DEV, "CREATE_IN_PROGRESS", PhysicalResourceId="stack"),
        event("Old", "CREATE_FAILED", "an earlier deployment"),
    ]
    aws.respond("cloudformation", "describe_stack_events", {"StackEvents": events})
    with pytest.raises(OperatorError) as failed:
        deploy.deploy(site, {})
    text = str(failed.value)
    assert f"{DEV} is {status}" in text
    assert "Nat (AWS::EC2::Instance): t4g.nano is not supported" in text
    assert remedy in text


def test_deploy_failure_before_cloudformation_reports_no_change(
    cli: Cli, aws: StubbedAws, site: Site
) -> None:
    cli.status = 1
    aws.no_stack(DEV)
    with pytest.raises(OperatorError, match="nothing was changed"):
        deploy.deploy(site, {})


def test_bootstrap_targets_account_and_region(cli: Cli, aws: StubbedAws, site: Site) -> None:
    aws.respond("sts", "get_caller_identity", {"Account": "123456789012"})
    deploy.bootstrap(site)
    assert cli.called is not None
    assert cli.called["arguments"] == ["bootstrap", "aws://123456789012/us-east-1"]


# -- settings --------------------------------------------------------------------------------------
def test_stage_settings_are_read_from_context_file(tmp_path: Path) -> None:
    file = tmp_path / "cdk.context.json"
    assert config.stored("dev", file) == {}
    context = {
        "dev": {"cors_origins": ["https://a.example", "https://b.example"], "daily_cap_usd": 20},
        "prod": {"alarm_email": "ops@example.com"},
    }
    file.write_text(json.dumps(context))
    stage = config.stage("dev", config.stored("dev", file))
    assert stage.cors_origins == ("https://a.example", "https://b.example")
    assert stage.daily_cap_usd == "20"
    assert stage.alarm_email == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cdk.context.json: "),
        ("[]", "cdk.context.json: "),
        ('{"dev": []}', "the settings of a stage must be an object"),
        ('{"dev": {"alarm_email": null}}', "alarm_email must be a string"),
    ],
)
def test_invalid_context_file_is_named_in_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cdk.context.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        config.stored("dev", file)


# -- mistakes --------------------------------------------------------------------------------------
def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process without credentials."""
    return subprocess.run(
        [sys.executable, "-m", "infra.operator", *arguments],
        cwd=Path(__file__).parents[2],
        env={
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# Port 9 (discard) is closed.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_MAX_ATTEMPTS": "1"}
NO_NETWORK = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", **CREDENTIALS}


@pytest.mark.parametrize(
    ("stage", "environment", "text"),
    [
        ("dve", {}, "Unknown stage 'dve'. Choose one of local, dev, prod."),
        ("dev", {}, "No region is set."),
        ("dev", {"AWS_REGION": "us-east-1"}, "No AWS credentials were found."),
        ("dev", NO_NETWORK, "cannot be reached. Check the network"),
        ("dev", {"AWS_PROFILE": "nix"}, "The config profile (nix) could not be found."),
    ],
)
def test_operator_error_is_one_line_without_traceback(
    stage: str, environment: dict[str, str], text: str
) -> None:
    done = run("deploy", "--stage", stage, **environment)
    assert done.returncode == 1
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.NoCredentialsError(), "No AWS credentials were found"),
        (exceptions.UnauthorizedSSOTokenError(), "Log in again"),
        (exceptions.NoRegionError(), "Set AWS_REGION"),
        (exceptions.SSLError(endpoint_url="https://x", error=OSError()), "AWS_CA_BUNDLE"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x/"), "https://x/ cannot be"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x/"), "https://x/ cannot be"),
    ],
)
def test_explain_describes_connection_error(error: exceptions.BotoCoreError, text: str) -> None:
    assert text in explain(error)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ExpiredTokenException", "have expired"),
        ("InvalidClientTokenId", "does not recognize these credentials"),
        ("OptInRequired", "not subscribed"),
        ("AccessDenied", "may not call DescribeStacks"),
        ("Throttling", "rejected DescribeStacks with Throttling"),
    ],
)
def test_explain_describes_client_error(code: str, text: str) -> None:
    error = exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, "DescribeStacks")
    assert text in explain(error)
