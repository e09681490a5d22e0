"""`make deploy` and `make bootstrap`: what is run, what is left, and how failures are told."""

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
# In the place of the CDK's command line: keeps what it was called with, and writes the outputs.
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
    """The command line of the CDK: how it shall end, and what it was called with."""

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
    made = Cli(tmp_path)
    monkeypatch.setattr(node, "command", made.command)
    monkeypatch.setattr(node, "PROJECT", tmp_path)
    monkeypatch.setattr(deploy, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    healthy(monkeypatch)
    monkeypatch.setattr(kept_settings, "of", lambda name, **_: dict(KEPT))
    return made


def healthy(monkeypatch: pytest.MonkeyPatch, level: Level = Level.OK) -> None:
    findings = [("all", Finding(level, "As it is."))]
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


def test_deployment_ends_with_the_steps_that_are_left(
    cli: Cli, aws: StubbedAws, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": "", "UNUSED": "x"}
    aws.answer(
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
    said = capsys.readouterr().out
    assert f"--secret-id {ARN}" in said
    assert '{"OPENAI_API_KEY": "...", "RUNWAY_API_KEY": "..."}' in said
    assert "make key STAGE=dev" in said
    assert "UNUSED" not in said


def test_bucket_that_was_kept_is_taken_over(cli: Cli, aws: StubbedAws, site: Site) -> None:
    for changes, expected in (({}, False), ({"media_bucket": "media-of-before"}, True)):
        aws.answer("secretsmanager", "get_secret_value", {"SecretString": "{}"})
        deploy.deploy(site, changes)
        assert cli.called is not None
        assert ("--import-existing-resources" in cli.called["arguments"]) is expected


def test_setting_that_is_given_goes_before_the_one_that_the_stack_keeps(
    cli: Cli, aws: StubbedAws, site: Site
) -> None:
    secret = {"SecretString": "{}"}
    aws.answer("secretsmanager", "get_secret_value", secret)
    deploy.deploy(site, {"nat_image": ""})  # the newest, for once
    assert cli.called is not None
    assert "--context=nat_image=" in cli.called["arguments"]
    assert f"--context=nat_image={KEPT['nat_image']}" not in cli.called["arguments"]


def test_nothing_is_deployed_while_something_fails(
    cli: Cli, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(monkeypatch, Level.FAIL)
    with pytest.raises(OperatorError, match="Nothing was deployed"):
        deploy.deploy(site, {})
    assert cli.called is None


@pytest.mark.parametrize(
    ("status", "helps"),
    [
        ("ROLLBACK_COMPLETE", "make destroy STAGE=dev"),
        ("ROLLBACK_FAILED", "make destroy STAGE=dev"),
        ("CREATE_FAILED", "make destroy STAGE=dev"),
        ("UPDATE_ROLLBACK_COMPLETE", "The version before it runs on"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_failed_deployment_says_why_and_what_helps(
    cli: Cli, aws: StubbedAws, site: Site, status: str, helps: str
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
    aws.answer("cloudformation", "describe_stack_events", {"StackEvents": events})
    with pytest.raises(OperatorError) as failed:
        deploy.deploy(site, {})
    text = str(failed.value)
    assert f"{DEV} is {status}" in text
    assert "Nat (AWS::EC2::Instance): t4g.nano is not supported" in text
    assert helps in text


def test_failure_before_cloudformation_changed_nothing(
    cli: Cli, aws: StubbedAws, site: Site
) -> None:
    cli.status = 1
    aws.no_stack(DEV)
    with pytest.raises(OperatorError, match="nothing was changed"):
        deploy.deploy(site, {})


def test_bootstrap_is_for_the_account_and_region(cli: Cli, aws: StubbedAws, site: Site) -> None:
    aws.answer("sts", "get_caller_identity", {"Account": "123456789012"})
    deploy.bootstrap(site)
    assert cli.called is not None
    assert cli.called["arguments"] == ["bootstrap", "aws://123456789012/us-east-1"]


# -- settings --------------------------------------------------------------------------------------
def test_settings_of_a_stage_are_stored_in_a_file(tmp_path: Path) -> None:
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
    ("text", "said"),
    [
        ("{", "cdk.context.json: "),
        ("[]", "cdk.context.json: "),
        ('{"dev": []}', "the settings of a stage are an object"),
        ('{"dev": {"alarm_email": null}}', "alarm_email is neither a text"),
    ],
)
def test_file_of_settings_that_cannot_be_read_is_named(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "cdk.context.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        config.stored("dev", file)


# -- mistakes --------------------------------------------------------------------------------------
def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as in a shell of its own, without credentials."""
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


# Nobody listens on the discard port.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_MAX_ATTEMPTS": "1"}
NO_NETWORK = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", **CREDENTIALS}


@pytest.mark.parametrize(
    ("stage", "environment", "text"),
    [
        ("dve", {}, "There is no stage 'dve'; the stages are local, dev, prod."),
        ("dev", {}, "No region is set."),
        ("dev", {"AWS_REGION": "us-east-1"}, "There are no AWS credentials."),
        ("dev", NO_NETWORK, "cannot be reached. Check the network"),
        ("dev", {"AWS_PROFILE": "nix"}, "The config profile (nix) could not be found."),
    ],
)
def test_mistake_is_told_in_one_sentence(
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
        (exceptions.NoCredentialsError(), "There are no AWS credentials"),
        (exceptions.UnauthorizedSSOTokenError(), "Log in again"),
        (exceptions.NoRegionError(), "Set AWS_REGION"),
        (exceptions.SSLError(endpoint_url="https://x", error=OSError()), "AWS_CA_BUNDLE"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x/"), "https://x/ cannot be"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x/"), "https://x/ cannot be"),
    ],
)
def test_way_to_aws_is_explained(error: exceptions.BotoCoreError, text: str) -> None:
    assert text in explain(error)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ExpiredTokenException", "have expired"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("OptInRequired", "not signed up"),
        ("AccessDenied", "may not call DescribeStacks"),
        ("Throttling", "refused DescribeStacks with Throttling"),
    ],
)
def test_answer_of_aws_is_explained(code: str, text: str) -> None:
    error = exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, "DescribeStacks")
    assert text in explain(error)
