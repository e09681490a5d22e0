"""Deploying from GitHub: the role that the workflow assumes, and the workflow."""

import re
from pathlib import Path

import botocore.session
import pytest
import yaml  # type: ignore[import-untyped]
from botocore import xform_name
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from tests.infra.template import Json, Template, as_list
from tests.infra.test_template import lint

PROJECT = Path(__file__).parents[2]
TEMPLATE = PROJECT / "infra" / "github_role.yaml"
WORKFLOW = PROJECT / ".github" / "workflows" / "deploy.yml"
ISSUER = "token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def role() -> Json:
    return cfn_yaml.load(str(TEMPLATE))["Resources"]["Role"]["Properties"]


@pytest.fixture(scope="module")
def workflow() -> Json:
    return yaml.safe_load(WORKFLOW.read_text())


def statements(role: Json) -> dict[str, Json]:
    (policy,) = role["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def test_cfn_lint_finds_nothing_in_the_role() -> None:
    assert lint(TEMPLATE) == []


def test_the_role_trusts_one_environment_of_one_repository(role: Json) -> None:
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": {"Fn::Sub": "repo:${Repository}:environment:${Stage}"},
        }
    }


def test_the_role_changes_nothing_but_through_the_bootstrap_roles(role: Json) -> None:
    found = statements(role)
    bootstrap = found.pop("Bootstrap")
    assert bootstrap["Action"] == "sts:AssumeRole"
    roles = [arn["Fn::Sub"].rpartition(":role/")[2] for arn in bootstrap["Resource"]]
    assert {re.sub(r"\$\{.+?\}", "X", name) for name in roles} == {
        "cdk-X-deploy-role-X-X",
        "cdk-X-file-publishing-role-X-X",
        "cdk-X-lookup-role-X-X",
    }
    for sid, statement in found.items():
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:(Get|List|Describe)\w+", action), action
        if sid != "Account":
            assert "*" not in as_list(statement["Resource"])


def test_the_role_reads_the_stage_that_is_deployed(role: Json, prod: Template) -> None:
    found = statements(role)
    names = [
        prod.of_type("AWS::StepFunctions::StateMachine").popitem()[1]["StateMachineName"],
        prod.path.name.removesuffix(".template.json"),
    ]
    for sid, name in zip(("Runs", "Stack"), names, strict=True):
        place = found[sid]["Resource"]["Fn::Sub"].replace("${Stage}", "prod")
        assert name in place
    secrets = prod.of_type("AWS::SecretsManager::Secret")
    for arn in found["Secrets"]["Resource"]:
        # CloudFormation names a secret by its logical id.
        beginning = arn["Fn::Sub"].rpartition(":secret:")[2].removesuffix("*")
        (readable,) = (
            properties for name, properties in secrets.items() if name.startswith(beginning)
        )
        tags = {tag["Key"]: tag["Value"] for tag in readable["Tags"]}
        ((key, value),) = found["Secrets"]["Condition"]["StringEquals"].items()
        assert tags[key.removeprefix("aws:ResourceTag/")] == value["Fn::Sub"].replace(
            "${Stage}", "prod"
        )


@pytest.mark.parametrize("path", sorted(WORKFLOW.parent.glob("*.yml")), ids=lambda path: path.name)
def test_actions_are_pinned_to_commits(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment


def test_only_the_deploying_job_gets_a_token_and_only_in_its_environment(workflow: Json) -> None:
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["environment"] == "${{ inputs.stage }}"
    parameters = cfn_yaml.load(str(TEMPLATE))["Parameters"]
    stages = workflow[True]["workflow_dispatch"]["inputs"]["stage"]["options"]  # YAML 1.1: on
    assert stages == parameters["Stage"]["AllowedValues"]


def test_what_is_built_sees_no_credentials(workflow: Json) -> None:
    (job,) = workflow["jobs"].values()
    steps = [step.get("run") or step["uses"].partition("@")[0] for step in job["steps"]]
    assert steps[-4:] == [
        "make layers",
        "aws-actions/configure-aws-credentials",
        "make deploy",
        "make verify",
    ]


def test_no_input_is_put_into_a_shell(workflow: Json) -> None:
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")


# Where IAM's name of a service is not that of its endpoint.
PREFIXES = {"cloudwatch": "cloudwatch"}


def calls(*places: Path) -> set[str]:
    """IAM's names of the calls to AWS in these files."""
    text = "\n".join(path.read_text() for path in places)
    session = botocore.session.get_session()
    named = {*re.findall(r"\.(\w+)\(", text), *re.findall(r"get_paginator\(\"(\w+)\"", text)}
    found = set()
    for service in set(re.findall(r"client\(\"([\w-]+)\"\)", text)):
        model = session.get_service_model(service)
        prefix = PREFIXES.get(service, model.signing_name)
        found |= {f"{prefix}:{name}" for name in model.operation_names if xform_name(name) in named}
    return found


def test_the_role_may_do_what_the_commands_call_and_no_more(role: Json) -> None:
    infra = PROJECT / "infra"
    commands = {*(infra / "operator").rglob("*.py"), infra / "keys.py", infra / "kept_settings.py"}
    commands.remove(infra / "operator" / "destroy.py")  # the workflow destroys nothing
    allowed = {a for s in statements(role).values() for a in as_list(s["Action"])}
    # Who one is may always be asked; the roles are assumed by the CDK's command line.
    assert allowed - {"sts:AssumeRole"} == calls(*commands) - {"sts:GetCallerIdentity"}
