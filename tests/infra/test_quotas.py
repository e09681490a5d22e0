"""Quotas and length limits that no linter checks, from each service's quotas page.

Where a new account has less than the default, the smaller number is used.
"""

import json
import re
from collections import Counter
from typing import Any

import pytest

from common.domain import ids
from infra import config
from tests.infra.template import Json, Template

# The longest values of pseudo parameters, which only the deployment knows.
PSEUDO = {
    "AWS::Region": "ap-southeast-5",
    "AWS::AccountId": "1" * 12,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "VideoGenerator-local",
    "AWS::NoValue": "",
}
UNKNOWN = "x" * 200  # an ARN, an endpoint or an address of another resource

# Names set by the template; CloudFormation shortens the names that it generates.
NAMES = {
    ("AWS::Lambda::Function", "FunctionName"): r"[\w-]{1,64}",
    ("AWS::Logs::LogGroup", "LogGroupName"): r"[\w./#-]{1,512}",
    ("AWS::StepFunctions::StateMachine", "StateMachineName"): r"[\w-]{1,80}",
    ("AWS::RDS::DBInstance", "DBName"): r"[a-z]\w{0,62}",
    ("AWS::RDS::DBProxy", "DBProxyName"): r"[a-zA-Z](-?[a-zA-Z0-9]){0,62}",
    ("AWS::ApiGateway::RestApi", "Name"): r".{1,1024}",
    ("AWS::ApiGateway::Authorizer", "Name"): r".{1,128}",
    ("AWS::ApiGateway::Stage", "StageName"): r"[\w-]{1,128}",
    ("AWS::IAM::Policy", "PolicyName"): r"[\w+=,.@-]{1,128}",
    ("AWS::IAM::Role", "RoleName"): r"[\w+=,.@-]{1,64}",
    ("AWS::S3::Bucket", "BucketName"): r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    ("AWS::SQS::Queue", "QueueName"): r"[\w-]{1,80}",
    ("AWS::Events::Rule", "Name"): r"[\w.-]{1,64}",
    ("AWS::SNS::Topic", "DisplayName"): r".{1,100}",
    ("AWS::CloudWatch::Alarm", "AlarmName"): r".{1,255}",
    ("AWS::CloudWatch::Dashboard", "DashboardName"): r"[\w-]{1,255}",
    ("AWS::SecretsManager::Secret", "Name"): r"[\w/+=.@-]{1,512}",
}
# The most resources of a type in one stack or API.
COUNTS = {
    "AWS::ApiGateway::Resource": 300,
    "AWS::ApiGateway::Authorizer": 10,
    "AWS::EC2::VPC": 4,  # of 5, one of which is the default VPC
    "AWS::EC2::EIP": 5,
    "AWS::EC2::NatGateway": 5,
    "AWS::Events::Rule": 300,
    "AWS::CloudWatch::Alarm": 5000,
    "AWS::IAM::Role": 1000,
}


def longest(value: Any) -> str:
    """Return the longest text that an intrinsic function can become."""
    match value:
        case {"Ref": str(name)}:
            return PSEUDO.get(name, UNKNOWN)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(longest(part) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]*)\}", lambda match: PSEUDO.get(match[1], UNKNOWN), text)
        case dict():
            return UNKNOWN
    return str(value)


def size(document: Json) -> int:
    """Return the characters of a policy with its intrinsic functions at their longest."""
    match document:
        case dict() if len(document) == 1 and next(iter(document)).startswith(("Fn::", "Ref")):
            return len(longest(document)) + 2
        case dict():
            return 1 + sum(len(key) + 4 + size(value) for key, value in document.items())
        case list():
            return 1 + sum(size(value) + 1 for value in document)
    return len(json.dumps(document))


def test_resource_names_match_length_and_characters(template: Template) -> None:
    checked = Counter[str]()
    for (kind, key), pattern in NAMES.items():
        for name, properties in template.of_type(kind).items():
            if key in properties:
                assert re.fullmatch(pattern, longest(properties[key])), f"{name}: {properties[key]}"
                checked[kind] += 1
    assert checked["AWS::Lambda::Function"] == len(template.functions)
    assert len(checked) > 8


def test_every_explicit_resource_name_is_checked(template: Template) -> None:
    """Checks properties that contain the name of the resource, not a reference to another."""
    for name, resource in template.resources.items():
        kind = resource["Type"]
        for key, value in resource.get("Properties", {}).items():
            is_name = key == "Name" or key == f"{kind.rpartition('::')[2]}Name"
            if is_name and isinstance(value, str):
                assert (kind, key) in NAMES, f"{name}.{key}"


def test_run_ids_are_valid_execution_names() -> None:
    assert re.fullmatch(r"[\w-]{1,80}", ids.new("run"))


def test_template_is_within_cloudformation_limits(template: Template) -> None:
    assert len(template.resources) <= 500
    assert template.path.stat().st_size <= 1_000_000
    assert len(template.document["Outputs"]) <= 200
    assert len(template.document.get("Parameters", {})) <= 200
    for kind, limit in COUNTS.items():
        assert len(template.of_type(kind)) <= limit, kind


def test_functions_fit_quotas_of_new_account(template: Template) -> None:
    """A new account has 10 concurrent executions, none reservable, and 3,008 MB per function."""
    for folder, function in template.functions.items():
        assert "ReservedConcurrentExecutions" not in function, folder
        assert function["MemorySize"] <= 3008, folder
        assert function["Timeout"] <= 900, folder
        assert function.get("EphemeralStorage", {}).get("Size", 512) <= 10_240, folder
        assert len(function["Layers"]) <= 5, folder
        assert size(function["Environment"]["Variables"]) <= 4096, folder
    assert not template.of_type("AWS::Lambda::Alias")
    for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
        assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] < 10
    assert config.STAGES[template.stage].scene_concurrency <= 10


def test_policies_are_within_size_limits(template: Template) -> None:
    inline = Counter[str]()
    for name, role in template.of_type("AWS::IAM::Role").items():
        assert size(role["AssumeRolePolicyDocument"]) <= 2048, name
        assert len(role.get("ManagedPolicyArns", [])) <= 10, name
        inline[name] += sum(size(policy["PolicyDocument"]) for policy in role.get("Policies", []))
    for policy in template.of_type("AWS::IAM::Policy").values():
        for role in policy["Roles"]:
            inline[role["Ref"]] += size(policy["PolicyDocument"])
    assert max(inline.values()) <= 10_240, inline.most_common(1)
    for policy in template.of_type("AWS::S3::BucketPolicy").values():
        assert size(policy["PolicyDocument"]) <= 20_480
    permissions = Counter(
        json.dumps(permission["FunctionName"])
        for permission in template.of_type("AWS::Lambda::Permission").values()
    )
    assert max(permissions.values()) * 600 <= 20_480


def test_subnets_and_security_groups_are_within_limits(template: Template) -> None:
    """The functions of a subnet share network interfaces, so a /24 has enough addresses."""
    for subnet in template.of_type("AWS::EC2::Subnet").values():
        assert int(subnet["CidrBlock"].rpartition("/")[2]) <= 24
    for group in template.of_type("AWS::EC2::SecurityGroup").values():
        assert len(group.get("SecurityGroupEgress", [])) <= 60


def test_queues_and_rules_are_within_limits(template: Template) -> None:
    for queue in template.of_type("AWS::SQS::Queue").values():
        assert queue.get("VisibilityTimeout", 30) <= 43_200
        assert queue.get("MessageRetentionPeriod", 345_600) <= 1_209_600
    for rule in template.of_type("AWS::Events::Rule").values():
        assert len(rule["Targets"]) <= 5
        assert len(json.dumps(rule.get("EventPattern", {}))) <= 2048


@pytest.mark.parametrize("stage", list(config.STAGES))
def test_api_timeouts_are_below_gateway_timeout(stage: str) -> None:
    functions = config.STAGES[stage].functions
    assert functions["api"].timeout < 29
    assert functions["authorizer"].timeout < 29
