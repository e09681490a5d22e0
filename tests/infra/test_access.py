"""Who may do what: exact actions on exact resources, and nothing that is not used."""

import json
import re

import pytest

from migrate.privileges import PRIVILEGES
from tests.iam import rights
from tests.infra.template import Json, Template, as_list

# Actions for which AWS knows no narrower resource than all.
EVERYWHERE = {
    "bedrock:ListAsyncInvokes",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
CLIPS, IMAGES, UPLOADS = "*/video-clips/*", "*/reference-frames/*", "*/user-uploads/*"
PROVENANCE, RECEIPTS = "*/provenance/*", "*/receipts/*"
ARRIVALS = "_uploads/*"
NARRATIONS = "*/narrations/*"
INBOX, OUTBOX = "inbox/*", "outbox/*"

ERASING = {
    ("s3:ListBucketVersions", "bucket"),
    *(
        (action, kind)
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion")
        for kind in (CLIPS, IMAGES, UPLOADS, PROVENANCE, RECEIPTS, NARRATIONS)
    ),
}

# What each function may do beyond its log, its network interfaces and its traces.
RIGHTS: dict[str, set[tuple[str, str]]] = {
    "authorizer": {("secretsmanager:GetSecretValue", "Keys")},
    "api": {
        ("secretsmanager:GetSecretValue", "Keys"),
        ("secretsmanager:GetSecretValue", "Providers"),
        *(("s3:GetObject", kind) for kind in (CLIPS, IMAGES, NARRATIONS, UPLOADS)),
        ("s3:PutObject", UPLOADS),
        ("s3:PutObject", ARRIVALS),
        ("s3:AbortMultipartUpload", ARRIVALS),
        ("states:StartExecution", "machine"),
        ("states:StopExecution", "executions"),
        ("lambda:InvokeFunction", "clip"),
        *ERASING,
    },
    "story": {
        ("secretsmanager:GetSecretValue", "Providers"),
        ("s3:GetObject", RECEIPTS),
        ("s3:PutObject", RECEIPTS),
    },
    "image": {
        ("secretsmanager:GetSecretValue", "Providers"),
        ("s3:GetObject", IMAGES),
        ("s3:GetObject", UPLOADS),
        ("s3:PutObject", IMAGES),
        ("s3:GetObject", RECEIPTS),
        ("s3:PutObject", RECEIPTS),
    },
    "speech": {
        ("secretsmanager:GetSecretValue", "Providers"),
        ("s3:PutObject", NARRATIONS),
        ("s3:GetObject", RECEIPTS),
        ("s3:PutObject", RECEIPTS),
    },
    "clip": {
        ("secretsmanager:GetSecretValue", "Providers"),
        ("s3:GetObject", UPLOADS),
        ("s3:GetObject", IMAGES),
        ("s3:GetObject", CLIPS),
        ("s3:PutObject", CLIPS),
        ("s3:AbortMultipartUpload", CLIPS),
        ("bedrock:InvokeModel", "luma"),
        ("bedrock:GetAsyncInvoke", "jobs of bedrock"),
        ("s3:GetObject", RECEIPTS),
        ("s3:PutObject", RECEIPTS),
    },
    "merge": {
        ("s3:GetObject", UPLOADS),
        ("s3:GetObject", IMAGES),
        ("s3:GetObject", NARRATIONS),
        ("s3:GetObject", CLIPS),
        ("s3:PutObject", CLIPS),
        ("s3:AbortMultipartUpload", CLIPS),
    },
    "finish": {
        ("s3:PutObject", PROVENANCE),
        ("s3:PutObject", OUTBOX),
        ("s3:DeleteObject", OUTBOX),
    },
    "intake": {
        ("secretsmanager:GetSecretValue", "Providers"),
        ("s3:GetObject", INBOX),
        ("s3:GetObjectVersion", INBOX),
        ("s3:GetObject", IMAGES),
        ("s3:GetObject", UPLOADS),
        ("s3:PutObject", UPLOADS),
        ("s3:ListBucket", "bucket"),
        ("s3:PutObject", OUTBOX),
        ("s3:DeleteObject", OUTBOX),
        ("sqs:DeleteMessage", "queue"),
        ("sqs:GetQueueAttributes", "queue"),
        ("sqs:ReceiveMessage", "queue"),
        ("states:StartExecution", "machine"),
    },
    "register": {
        ("s3:GetObject", ARRIVALS),
        ("s3:DeleteObjectVersion", ARRIVALS),
        ("s3:PutObject", UPLOADS),
        ("s3:AbortMultipartUpload", UPLOADS),
    },
    "sweeper": {
        ("lambda:InvokeFunction", "clip"),
        ("s3:PutObject", OUTBOX),
        ("s3:DeleteObject", OUTBOX),
        ("states:StartExecution", "machine"),
        ("states:DescribeExecution", "executions"),
        *ERASING,
    },
    "migrate": {
        ("secretsmanager:GetSecretValue", "owner"),
        *(("secretsmanager:GetSecretValue", f"role of {name}") for name in PRIVILEGES),
    },
}


def named(resource: Json) -> str:
    """A resource in the words of RIGHTS."""
    text = json.dumps(resource)
    if isinstance(resource, dict) and "Fn::Join" in resource:
        tail = resource["Fn::Join"][1][-1]
        if isinstance(tail, str) and tail.startswith("/"):
            return tail[1:]
        if ":execution:" in text and tail == ":*":
            return "executions"
    for word, name in {
        "DatabaseInstanceSecret": "owner",
        **{f"Database{name.capitalize()}Role": f"role of {name}" for name in PRIVILEGES},
        "SecretsKeys": "Keys",
        "SecretsProviders": "Providers",
        "PipelineStateMachine": "machine",
        "ClipFunction": "clip",
        "InboxQueue": "queue",
        "StorageMedia": "bucket",
        "foundation-model/luma": "luma",
        ":async-invoke/*": "jobs of bedrock",
    }.items():
        if word in text:
            return name
    return text


def test_no_action_is_a_pattern(template: Template) -> None:
    for policy, statement in template.statements():
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{policy}: {action}"


def test_all_resources_only_where_aws_knows_no_narrower(template: Template) -> None:
    for policy, statement in template.statements():
        if statement["Effect"] == "Allow" and "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= EVERYWHERE, policy


def test_no_policy_of_somebody_else_but_one(template: Template) -> None:
    managed = [
        json.dumps(role["ManagedPolicyArns"])
        for role in template.of_type("AWS::IAM::Role").values()
        if role.get("ManagedPolicyArns")
    ]
    assert len(managed) == 1
    assert "AmazonAPIGatewayPushToCloudWatchLogs" in managed[0]


@pytest.mark.parametrize("folder", list(RIGHTS))
def test_a_function_may_do_what_it_does(template: Template, folder: str) -> None:
    found = {
        (action, named(resource))
        for statement in template.statements_of(folder)
        if statement["Effect"] == "Allow" and statement["Resource"] != "*"
        for action in as_list(statement["Action"])
        if not action.startswith("logs:")
        for resource in as_list(statement["Resource"])
    }
    own_role = ("secretsmanager:GetSecretValue", f"role of {folder}")
    assert found == RIGHTS[folder] | ({own_role} if folder in PRIVILEGES else set())


def test_every_function_but_the_owner_has_a_database_role(template: Template) -> None:
    assert PRIVILEGES.keys() == template.functions.keys() - {"migrate"}


def test_a_function_writes_to_its_own_log_only(template: Template) -> None:
    for folder, function in template.functions.items():
        own = {"Fn::GetAtt": [function["LoggingConfig"]["LogGroup"]["Ref"], "Arn"]}
        logs = [
            statement
            for statement in template.statements_of(folder)
            if any(action.startswith("logs:") for action in as_list(statement["Action"]))
        ]
        assert [statement["Resource"] for statement in logs] == [own]


def test_other_roles_hold_listed_rights_only(template: Template) -> None:
    """No request of ours is made in the name of a role that is not a function's."""
    functions = {function["Role"]["Fn::GetAtt"][0] for function in template.functions.values()}
    entries = rights.unused()
    for name, policy in template.of_type("AWS::IAM::Policy").items():
        (role,) = [role["Ref"] for role in policy["Roles"]]
        for statement in policy["PolicyDocument"]["Statement"] if role not in functions else []:
            for action in as_list(statement["Action"]):
                right = rights.Right(re.sub(r"[0-9A-F]{8}$", "", role), action, "*")
                assert any(entry.covers(right) for entry in entries), f"{name}: {action}"


def denied(template: Template, folder: str) -> list[Json]:
    return [s for s in template.statements_of(folder) if s["Effect"] == "Deny"]


def test_code_may_not_touch_network_interfaces(template: Template) -> None:
    for folder in template.functions:
        (statement,) = [s for s in denied(template, folder) if "Condition" in s]
        assert all(action.startswith("ec2:") for action in statement["Action"])
        arn = json.dumps(statement["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"])
        assert f":function:VideoGenerator-{template.stage}-{folder}" in arn


def test_no_function_may_change_the_inbox(template: Template) -> None:
    """So nothing that runs here can start a run by a file: there is no loop."""
    for folder in template.functions:
        (statement,) = [s for s in denied(template, folder) if "Condition" not in s]
        assert {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(
            statement["Action"]
        )
        assert named(statement["Resource"]) == INBOX


def test_the_state_machine_runs_its_functions_and_no_other(template: Template) -> None:
    machine = template.only("AWS::StepFunctions::StateMachine")
    role = machine["RoleArn"]["Fn::GetAtt"][0]
    invoked = {
        template.function_ids[resource["Fn::GetAtt"][0]]
        for policy in template.of_type("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
        for resource in as_list(statement["Resource"])
    }
    assert invoked == {"story", "image", "speech", "clip", "merge", "finish"}


def test_functions_are_invoked_by_whom_they_serve(template: Template) -> None:
    callers = {
        (template.function_ids[p["FunctionName"]["Fn::GetAtt"][0]], p["Principal"])
        for p in template.of_type("AWS::Lambda::Permission").values()
    }
    assert callers == {
        ("api", "apigateway.amazonaws.com"),
        ("authorizer", "apigateway.amazonaws.com"),
        ("register", "events.amazonaws.com"),
        ("sweeper", "events.amazonaws.com"),
    }
    for permission in template.of_type("AWS::Lambda::Permission").values():
        assert permission["SourceArn"]
