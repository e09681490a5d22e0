"""IAM policies: exact actions on exact resources, and no unused permission."""

import json
import re

import pytest

from migrate.privileges import PRIVILEGES
from tests.iam import rights
from tests.infra.template import Json, Template, as_list

# Actions that support no resource-level permissions.
WITHOUT_RESOURCE_LEVEL_PERMISSIONS = {
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
PENDING_UPLOADS = "_uploads/*"
NARRATIONS = "*/narrations/*"
INBOX, OUTBOX = "inbox/*", "outbox/*"

DELETION_PERMISSIONS = {
    ("s3:ListBucketVersions", "bucket"),
    *(
        (action, kind)
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion")
        for kind in (CLIPS, IMAGES, UPLOADS, PROVENANCE, RECEIPTS, NARRATIONS)
    ),
}

# Permissions of each function beyond logs, network interfaces and traces.
PERMISSIONS: dict[str, set[tuple[str, str]]] = {
    "authorizer": {("secretsmanager:GetSecretValue", "Keys")},
    "api": {
        ("secretsmanager:GetSecretValue", "Keys"),
        ("secretsmanager:GetSecretValue", "Providers"),
        *(("s3:GetObject", kind) for kind in (CLIPS, IMAGES, NARRATIONS, UPLOADS)),
        ("s3:PutObject", UPLOADS),
        ("s3:PutObject", PENDING_UPLOADS),
        ("s3:AbortMultipartUpload", PENDING_UPLOADS),
        ("states:StartExecution", "machine"),
        ("states:StopExecution", "executions"),
        ("lambda:InvokeFunction", "clip"),
        *DELETION_PERMISSIONS,
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
        ("s3:GetObject", PENDING_UPLOADS),
        ("s3:DeleteObjectVersion", PENDING_UPLOADS),
        ("s3:PutObject", UPLOADS),
        ("s3:AbortMultipartUpload", UPLOADS),
    },
    "sweeper": {
        ("lambda:InvokeFunction", "clip"),
        ("s3:PutObject", OUTBOX),
        ("s3:DeleteObject", OUTBOX),
        ("states:StartExecution", "machine"),
        ("states:DescribeExecution", "executions"),
        *DELETION_PERMISSIONS,
    },
    "migrate": {
        ("secretsmanager:GetSecretValue", "owner"),
        *(("secretsmanager:GetSecretValue", f"role of {name}") for name in PRIVILEGES),
    },
}


def resource_name(resource: Json) -> str:
    """Return the name that PERMISSIONS uses for a resource."""
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


def test_iam_actions_contain_no_wildcard(template: Template) -> None:
    for policy, statement in template.statements():
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{policy}: {action}"


def test_iam_wildcard_resource_only_without_resource_level_permissions(template: Template) -> None:
    for policy, statement in template.statements():
        if statement["Effect"] == "Allow" and "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= WITHOUT_RESOURCE_LEVEL_PERMISSIONS, policy


def test_iam_roles_use_only_one_managed_policy(template: Template) -> None:
    managed = [
        json.dumps(role["ManagedPolicyArns"])
        for role in template.of_type("AWS::IAM::Role").values()
        if role.get("ManagedPolicyArns")
    ]
    assert len(managed) == 1
    assert "AmazonAPIGatewayPushToCloudWatchLogs" in managed[0]


@pytest.mark.parametrize("folder", list(PERMISSIONS))
def test_function_has_exactly_listed_permissions(template: Template, folder: str) -> None:
    granted = {
        (action, resource_name(resource))
        for statement in template.statements_of(folder)
        if statement["Effect"] == "Allow" and statement["Resource"] != "*"
        for action in as_list(statement["Action"])
        if not action.startswith("logs:")
        for resource in as_list(statement["Resource"])
    }
    own_role = ("secretsmanager:GetSecretValue", f"role of {folder}")
    assert granted == PERMISSIONS[folder] | ({own_role} if folder in PRIVILEGES else set())


def test_every_function_except_migrate_has_database_role(template: Template) -> None:
    assert PRIVILEGES.keys() == template.functions.keys() - {"migrate"}


def test_function_may_write_only_to_its_own_log_group(template: Template) -> None:
    for folder, function in template.functions.items():
        own_log_group = {"Fn::GetAtt": [function["LoggingConfig"]["LogGroup"]["Ref"], "Arn"]}
        logs = [
            statement
            for statement in template.statements_of(folder)
            if any(action.startswith("logs:") for action in as_list(statement["Action"]))
        ]
        assert [statement["Resource"] for statement in logs] == [own_log_group]


def test_service_roles_have_only_listed_permissions(template: Template) -> None:
    """This project makes no request with a role other than a function's."""
    functions = {function["Role"]["Fn::GetAtt"][0] for function in template.functions.values()}
    entries = rights.unused()
    for name, policy in template.of_type("AWS::IAM::Policy").items():
        (role,) = [role["Ref"] for role in policy["Roles"]]
        for statement in policy["PolicyDocument"]["Statement"] if role not in functions else []:
            for action in as_list(statement["Action"]):
                right = rights.Right(re.sub(r"[0-9A-F]{8}$", "", role), action, "*")
                assert any(entry.covers(right) for entry in entries), f"{name}: {action}"


def deny_statements(template: Template, folder: str) -> list[Json]:
    return [s for s in template.statements_of(folder) if s["Effect"] == "Deny"]


def test_function_code_cannot_change_network_interfaces(template: Template) -> None:
    for folder in template.functions:
        (statement,) = [s for s in deny_statements(template, folder) if "Condition" in s]
        assert all(action.startswith("ec2:") for action in statement["Action"])
        arn = json.dumps(statement["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"])
        assert f":function:VideoGenerator-{template.stage}-{folder}" in arn


def test_functions_cannot_write_to_inbox(template: Template) -> None:
    """A function that wrote to the inbox could start runs in a loop."""
    for folder in template.functions:
        (statement,) = [s for s in deny_statements(template, folder) if "Condition" not in s]
        assert {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(
            statement["Action"]
        )
        assert resource_name(statement["Resource"]) == INBOX


def test_state_machine_may_invoke_only_its_functions(template: Template) -> None:
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


def test_function_invoke_permissions_name_expected_services(template: Template) -> None:
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
