"""Quotas and lengths that no linter knows, from each service's page of quotas.

A new account has less than the defaults; where that matters the smaller number stands here.
"""

import json
import re
from collections import Counter
from typing import Any

import pytest

from common.domain import ids
from infra import config
from tests.infra.template import Json, Template

# The longest values of what only the deployment knows.
PSEUDO = {
    "AWS::Region": "ap-southeast-5",
    "AWS::AccountId": "1" * 12,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "VideoGenerator-local",
    "AWS::NoValue": "",
}
UNKNOWN = "x" * 200  # an ARN, an endpoint or an address of another resource

# Names that are chosen here; CloudFormation shortens those that it makes.
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
# How many of a kind, in one stack or one API; a stack and its VPC are two more in their account.
COUNTS = {
    "AWS::ApiGateway::Resource": 300,
    "AWS::ApiGateway::Authorizer": 10,
    "AWS::EC2::VPC": 4,  # of 5, and one is there already
    "AWS::EC2::EIP": 5,
    "AWS::EC2::NatGateway": 5,
    "AWS::Events::Rule": 300,
    "AWS::CloudWatch::Alarm": 5000,
    "AWS::IAM::Role": 1000,
}


def longest(value: Any) -> str:
    """The text that an intrinsic function becomes, at its longest."""
    match value:
        case {"Ref": str(name)}:
            return PSEUDO.get(name, UNKNOWN)
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(longest(part) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]*)\}", lambda found: PSEUDO.get(found[1], UNKNOWN), text)
        case dict():
            return UNKNOWN
    return str(value)


def size(document: Json) -> int:
    """Characters of a policy, its intrinsic functions at their longest."""
    match document:
        case dict() if len(document) == 1 and next(iter(document)).startswith(("Fn::", "Ref")):
            return len(longest(document)) + 2
        case dict():
            return 1 + sum(len(key) + 4 + size(value) for key, value in document.items())
        case list():
            return 1 + sum(size(value) + 1 for value in document)
    return len(json.dumps(document))


def test_names_are_as_long_and_as_plain_as_they_may_be(template: Template) -> None:
    seen = Counter[str]()
    for (kind, key), pattern in NAMES.items():
        for name, properties in template.of_type(kind).items():
            if key in properties:
                assert re.fullmatch(pattern, longest(properties[key])), f"{name}: {properties[key]}"
                seen[kind] += 1
    assert seen["AWS::Lambda::Function"] == len(template.functions)
    assert len(seen) > 8


def test_every_name_that_is_chosen_is_checked(template: Template) -> None:
    """A property whose value is its resource's own name, and no reference to another."""
    for name, resource in template.resources.items():
        kind = resource["Type"]
        for key, value in resource.get("Properties", {}).items():
            is_own = key == "Name" or key == f"{kind.rpartition('::')[2]}Name"
            if is_own and isinstance(value, str):
                assert (kind, key) in NAMES, f"{name}.{key}"


def test_runs_fit_into_names_of_executions() -> None:
    assert re.fullmatch(r"[\w-]{1,80}", ids.new("run"))


def test_the_template_fits(template: Template) -> None:
    assert len(template.resources) <= 500
    assert template.path.stat().st_size <= 1_000_000
    assert len(template.document["Outputs"]) <= 200
    assert len(template.document.get("Parameters", {})) <= 200
    for kind, most in COUNTS.items():
        assert len(template.of_type(kind)) <= most, kind


def test_a_new_account_can_run_the_functions(template: Template) -> None:
    """It has 10 concurrent executions, none of which can be reserved, and 3,008 MB."""
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


def test_policies_fit(template: Template) -> None:
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
        json.dumps(one["FunctionName"])
        for one in template.of_type("AWS::Lambda::Permission").values()
    )
    assert max(permissions.values()) * 600 <= 20_480


def test_the_network_has_room_for_every_function_at_once(template: Template) -> None:
    """Each subnet's functions share network interfaces; an address of each is left for more."""
    for subnet in template.of_type("AWS::EC2::Subnet").values():
        assert int(subnet["CidrBlock"].rpartition("/")[2]) <= 24
    for group in template.of_type("AWS::EC2::SecurityGroup").values():
        assert len(group.get("SecurityGroupEgress", [])) <= 60


def test_queues_and_rules_keep_to_their_limits(template: Template) -> None:
    for queue in template.of_type("AWS::SQS::Queue").values():
        assert queue.get("VisibilityTimeout", 30) <= 43_200
        assert queue.get("MessageRetentionPeriod", 345_600) <= 1_209_600
    for rule in template.of_type("AWS::Events::Rule").values():
        assert len(rule["Targets"]) <= 5
        assert len(json.dumps(rule.get("EventPattern", {}))) <= 2048


@pytest.mark.parametrize("stage", list(config.STAGES))
def test_timeouts_are_below_the_gateways(stage: str) -> None:
    functions = config.STAGES[stage].functions
    assert functions["api"].timeout < 29
    assert functions["authorizer"].timeout < 29
