"""Deployment from GitHub: the workflow and the IAM role that it assumes."""

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


def test_github_role_passes_cfn_lint() -> None:
    assert lint(TEMPLATE) == []


def test_github_role_trusts_one_environment_of_one_repository(role: Json) -> None:
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": {"Fn::Sub": "repo:${Repository}:environment:${Stage}"},
        }
    }


def test_github_role_writes_only_through_bootstrap_roles(role: Json) -> None:
    by_sid = statements(role)
    bootstrap = by_sid.pop("Bootstrap")
    assert bootstrap["Action"] == "sts:AssumeRole"
    roles = [arn["Fn::Sub"].rpartition(":role/")[2] for arn in bootstrap["Resource"]]
    assert {re.sub(r"\$\{.+?\}", "X", name) for name in roles} == {
        "cdk-X-deploy-role-X-X",
        "cdk-X-file-publishing-role-X-X",
        "cdk-X-lookup-role-X-X",
    }
    for sid, statement in by_sid.items():
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:(Get|List|Describe)\w+", action), action
        if sid != "Account":
            assert "*" not in as_list(statement["Resource"])


def test_github_role_reads_resources_of_its_stage(role: Json, prod: Template) -> None:
    by_sid = statements(role)
    names = [
        prod.of_type("AWS::StepFunctions::StateMachine").popitem()[1]["StateMachineName"],
        prod.path.name.removesuffix(".template.json"),
    ]
    for sid, name in zip(("Runs", "Stack"), names, strict=True):
        arn_pattern = by_sid[sid]["Resource"]["Fn::Sub"].replace("${Stage}", "prod")
        assert name in arn_pattern
    secrets = prod.of_type("AWS::SecretsManager::Secret")
    for arn in by_sid["Secrets"]["Resource"]:
        # CloudFormation names a secret by its logical id.
        name_prefix = arn["Fn::Sub"].rpartition(":secret:")[2].removesuffix("*")
        (readable,) = (
            properties for name, properties in secrets.items() if name.startswith(name_prefix)
        )
        tags = {tag["Key"]: tag["Value"] for tag in readable["Tags"]}
        ((key, value),) = by_sid["Secrets"]["Condition"]["StringEquals"].items()
        assert tags[key.removeprefix("aws:ResourceTag/")] == value["Fn::Sub"].replace(
            "${Stage}", "prod"
        )


@pytest.mark.parametrize("path", sorted(WORKFLOW.parent.glob("*.yml")), ids=lambda path: path.name)
def test_workflow_actions_are_pinned_to_commits(path: Path) -> None:
    references = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert references
    for action, comment in references:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment


def test_workflow_token_is_limited_to_deploy_job_and_environment(workflow: Json) -> None:
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["environment"] == "${{ inputs.stage }}"
    parameters = cfn_yaml.load(str(TEMPLATE))["Parameters"]
    stages = workflow[True]["workflow_dispatch"]["inputs"]["stage"]["options"]  # YAML 1.1: on
    assert stages == parameters["Stage"]["AllowedValues"]


def test_workflow_builds_without_credentials(workflow: Json) -> None:
    (job,) = workflow["jobs"].values()
    steps = [step.get("run") or step["uses"].partition("@")[0] for step in job["steps"]]
    assert steps[-4:] == [
        "make layers",
        "aws-actions/configure-aws-credentials",
        "make deploy",
        "make verify",
    ]


def test_workflow_interpolates_no_input_into_shell(workflow: Json) -> None:
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")


# IAM prefixes of services that differ from the signing name.
PREFIXES = {"cloudwatch": "cloudwatch"}


def aws_actions(*paths: Path) -> set[str]:
    """Return the IAM actions of the AWS calls in these files."""
    text = "\n".join(path.read_text() for path in paths)
    session = botocore.session.get_session()
    method_names = {*re.findall(r"\.(\w+)\(", text), *re.findall(r"get_paginator\(\"(\w+)\"", text)}
    actions = set()
    for service in set(re.findall(r"client\(\"([\w-]+)\"\)", text)):
        model = session.get_service_model(service)
        prefix = PREFIXES.get(service, model.signing_name)
        actions |= {
            f"{prefix}:{name}" for name in model.operation_names if xform_name(name) in method_names
        }
    return actions


def test_github_role_permissions_match_commands(role: Json) -> None:
    infra = PROJECT / "infra"
    commands = {*(infra / "operator").rglob("*.py"), infra / "kept_settings.py"}
    commands.remove(infra / "operator" / "destroy.py")  # the workflow destroys nothing
    allowed = {a for s in statements(role).values() for a in as_list(s["Action"])}
    # GetCallerIdentity needs no permission; the CDK CLI assumes the roles.
    assert allowed - {"sts:AssumeRole"} == aws_actions(*commands) - {"sts:GetCallerIdentity"}
