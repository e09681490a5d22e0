"""The template of every stage: lint, encryption, log retention, network and tags."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.function_sources import function_names
from layers.sizes import FFMPEG_USERS, SPEECH_USERS
from tests.infra.template import Json, Template

# W3005, "dependency already enforced": the CDK writes each function's role twice.
_LINT = [
    str(Path(sys.executable).with_name("cfn-lint")),
    "--format",
    "json",
    "--ignore-checks",
    "W3005",
    "--",
]

OUTPUTS = {
    "ApiUrl",
    "MediaBucketName",
    "KeysSecretArn",
    "ProvidersSecretArn",
    "StateMachineArn",
    "DatabaseEndpoint",
    "SweeperFunctionName",
    "OperatorUserId",
    "AlarmTopicArn",
}


def lint(*paths: Path) -> list[str]:
    done = subprocess.run([*_LINT, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [
        f"{Path(finding['Filename']).name}: {finding['Rule']['Id']} {finding['Message']}"
        for finding in json.loads(done.stdout)
    ]


def test_templates_pass_cfn_lint(templates: Mapping[str, Template], tmp_path: Path) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketNam": "media"}}
    mistaken = tmp_path / "mistaken.template.json"
    mistaken.write_text(json.dumps({"Resources": {"Media": bucket}}))
    (finding,) = lint(*(template.path for template in templates.values()), mistaken)
    assert finding.startswith("mistaken.template.json: E3002")


def test_every_handler_folder_is_a_function(template: Template) -> None:
    assert sorted(template.functions) == function_names()


def test_functions_share_runtime_architecture_and_tracing(template: Template) -> None:
    for folder, function in template.functions.items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["Handler"] == f"{folder}.handler.handler"
        assert function["FunctionName"] == f"VideoGenerator-{template.stage}-{folder}"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert len(function["VpcConfig"]["SubnetIds"]) == 2


def functions_with_layer(template: Template, layer: str) -> set[str]:
    """Return the functions that use a layer."""
    return {
        folder
        for folder, function in template.functions.items()
        if any(f"Layers{layer}" in reference["Ref"] for reference in function["Layers"])
    }


def test_ffmpeg_layer_is_used_only_where_needed(template: Template) -> None:
    assert functions_with_layer(template, "Ffmpeg") == FFMPEG_USERS


def test_speech_layer_is_used_only_where_needed(template: Template) -> None:
    assert functions_with_layer(template, "Speech") == SPEECH_USERS


def test_every_log_group_has_retention(template: Template) -> None:
    for name, group in template.of_type("AWS::Logs::LogGroup").items():
        assert group.get("RetentionInDays"), name
        assert template.resources[name]["DeletionPolicy"] == "Delete", name


def test_every_function_has_its_own_log_group(template: Template) -> None:
    groups = [json.dumps(f["LoggingConfig"]["LogGroup"]) for f in template.functions.values()]
    assert len(set(groups)) == len(template.functions)


def test_template_has_no_cdk_provided_functions(template: Template) -> None:
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert {kind for kind in kinds if kind.startswith("Custom::")} == {"Custom::DatabaseMigrations"}
    assert len(template.of_type("AWS::Lambda::Function")) == len(template.functions)


def test_media_bucket_is_private_encrypted_and_tls_only(template: Template) -> None:
    bucket = template.only("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    (statement,) = template.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_pending_uploads_and_inbox_objects_expire(template: Template) -> None:
    rules = template.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert any(rule.get("AbortIncompleteMultipartUpload") for rule in rules)
    assert any(rule.get("Prefix") == "_uploads/" and rule["ExpirationInDays"] for rule in rules)
    assert any(rule.get("Prefix") == "inbox/" and rule["ExpirationInDays"] for rule in rules)
    assert any(rule.get("NoncurrentVersionExpiration") for rule in rules)


def test_bucket_cors_allows_any_origin_only_to_read(template: Template) -> None:
    cors = template.only("AWS::S3::Bucket").get("CorsConfiguration", {"CorsRules": []})
    for rule in cors["CorsRules"]:
        if any("*" in origin for origin in rule["AllowedOrigins"]):
            assert set(rule["AllowedMethods"]) <= {"GET", "HEAD"}
    public_rules = [rule for rule in cors["CorsRules"] if rule["AllowedOrigins"] == ["*"]]
    assert len(public_rules) == (1 if cors["CorsRules"] else 0)


def test_database_is_encrypted_private_and_tls_only(template: Template) -> None:
    instance = template.only("AWS::RDS::DBInstance")
    assert instance["StorageEncrypted"] is True
    assert instance["PubliclyAccessible"] is False
    assert instance["EngineVersion"].split(".")[0] == "18"
    assert "resolve:secretsmanager" in json.dumps(instance["MasterUserPassword"])
    parameters = template.only("AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    for proxy in template.of_type("AWS::RDS::DBProxy").values():
        assert proxy["RequireTLS"] is True


def test_queues_and_disks_are_encrypted(template: Template) -> None:
    for queue in template.of_type("AWS::SQS::Queue").values():
        assert queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId")
    for instance in template.of_type("AWS::EC2::Instance").values():
        assert all(disk["Ebs"]["Encrypted"] for disk in instance["BlockDeviceMappings"])


def test_security_groups_allow_no_public_ingress(template: Template) -> None:
    for group in template.of_type("AWS::EC2::SecurityGroup").values():
        assert not group.get("SecurityGroupIngress")
    for rule in template.of_type("AWS::EC2::SecurityGroupIngress").values():
        assert "SourceSecurityGroupId" in rule
    rules = [
        json.dumps([rule[key] for key in ("GroupId", "SourceSecurityGroupId")])
        for rule in template.of_type("AWS::EC2::SecurityGroupIngress").values()
    ]
    assert len(set(rules)) == len(rules), "AWS refuses the same rule twice"


def test_no_vpc_endpoint_or_ingress_serves_port_443(template: Template) -> None:
    """SSRF protection (decision 11): a client's URL cannot reach a service inside the VPC."""
    kinds = [e.get("VpcEndpointType") for e in template.of_type("AWS::EC2::VPCEndpoint").values()]
    assert kinds == ["Gateway"]
    for name, rule in template.of_type("AWS::EC2::SecurityGroupIngress").items():
        # The NAT instance of stage dev forwards traffic and serves nothing.
        assert rule["ToPort"] != 443 or "NatSecurityGroup" in name, name


def test_vpc_has_one_nat_and_isolated_database_subnets(template: Template) -> None:
    nats = [*template.of_type("AWS::EC2::NatGateway")]
    nats += template.of_type("AWS::EC2::Instance")
    assert len(nats) == 1
    subnets = template.only("AWS::RDS::DBSubnetGroup")["SubnetIds"]
    tables = {
        json.dumps(link["RouteTableId"])
        for link in template.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
        if link["SubnetId"] in subnets
    }
    routed_tables = {
        json.dumps(route["RouteTableId"]) for route in template.of_type("AWS::EC2::Route").values()
    }
    assert len(tables) == 2
    assert not tables & routed_tables


def test_functions_depend_on_migrations(template: Template) -> None:
    for name, folder in template.function_ids.items():
        waits = "Migrations" in template.resources[name]["DependsOn"]
        assert waits is (folder != "migrate"), folder


def test_resources_have_cost_allocation_tags(template: Template) -> None:
    for kind in ("AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::RDS::DBInstance"):
        for properties in template.of_type(kind).values():
            tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
            assert tags["project"] == "ai-video-generator"
            assert tags["stage"] == template.stage
            assert tags["stack"] == f"VideoGenerator-{template.stage}"


def test_every_alarm_has_description_and_action(template: Template) -> None:
    (topic,) = template.of_type("AWS::SNS::Topic")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == (
        12 if template.stage == "dev" else 10
    )  # two of them watch the NAT instance
    for alarm in alarms.values():
        assert alarm["AlarmDescription"]
        assert {"Ref": topic} in alarm["AlarmActions"]


def test_sweeper_runs_on_schedule_and_after_failed_runs(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule").values()
    (schedule,) = (rule for rule in rules if "ScheduleExpression" in rule)
    (failed_runs,) = (r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.states"])
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert json.loads(schedule["Targets"][0]["Input"]) == {"source": "schedule"}
    (machine,) = template.of_type("AWS::StepFunctions::StateMachine")
    assert failed_runs["EventPattern"]["detail"] == {
        "stateMachineArn": [{"Ref": machine}],
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
    }
    for rule in (schedule, failed_runs):
        assert invoked_function(template, rule) == "sweeper"


def test_register_rule_matches_only_pending_uploads(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule").values()
    object_rules = (r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.s3"])
    (uploaded,) = (rule for rule in object_rules if prefix(rule) == "_uploads/")
    assert invoked_function(template, uploaded) == "register"
    (bucket,) = template.of_type("AWS::S3::Bucket")
    assert uploaded["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": bucket}]},
            "object": {"key": [{"prefix": "_uploads/"}]},
        },
    }


def prefix(rule: Json) -> str:
    """Return the key prefix of the objects that a rule matches."""
    (key,) = rule["EventPattern"]["detail"]["object"]["key"]
    value: str = key["prefix"]
    return value


def invoked_function(template: Template, rule: Json) -> str:
    """Return the function that a rule invokes, or "" if it feeds a queue."""
    (target,) = rule["Targets"]
    return template.function_ids.get(target["Arn"]["Fn::GetAtt"][0], "")


def test_stack_outputs_match_expected_names(template: Template) -> None:
    assert set(template.document["Outputs"]) == OUTPUTS


@pytest.mark.parametrize(
    ("stage", "is_retained"), [("local", False), ("dev", False), ("prod", True)]
)
def test_destroy_retains_media_and_secrets_only_in_prod(
    templates: Mapping[str, Template], stage: str, is_retained: bool
) -> None:
    template = templates[stage]
    policies = {
        resource["Type"]: resource["DeletionPolicy"]
        for resource in template.resources.values()
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::RDS::DBInstance")
    }
    assert policies["AWS::S3::Bucket"] == ("RetainExceptOnCreate" if is_retained else "Delete")
    assert policies["AWS::RDS::DBInstance"] == ("Snapshot" if is_retained else "Delete")
    assert template.only("AWS::RDS::DBInstance")["DeletionProtection"] is is_retained
    retained = {
        resource["Type"]
        for resource in template.resources.values()
        if str(resource.get("DeletionPolicy")).startswith("Retain")
    }
    # The account's logging role is free, and other APIs of the account may use it.
    free = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
    assert retained - free == (
        {"AWS::S3::Bucket", "AWS::SecretsManager::Secret"} if is_retained else set()
    )
