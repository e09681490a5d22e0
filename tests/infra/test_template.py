"""Every stage: linted, encrypted, logged with an end, in its network, and deployable."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.function_sources import function_names
from layers.sizes import FFMPEG_USERS, SPEECH_USERS
from tests.infra.template import Json, Template

# "Dependency already enforced": the CDK writes each function's role down twice.
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
        f"{Path(found['Filename']).name}: {found['Rule']['Id']} {found['Message']}"
        for found in json.loads(done.stdout)
    ]


def test_cfn_lint_has_nothing_to_say_but_to_a_mistake(
    templates: Mapping[str, Template], tmp_path: Path
) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketNam": "media"}}
    mistaken = tmp_path / "mistaken.template.json"
    mistaken.write_text(json.dumps({"Resources": {"Media": bucket}}))
    (found,) = lint(*(template.path for template in templates.values()), mistaken)
    assert found.startswith("mistaken.template.json: E3002")


def test_every_folder_with_a_handler_is_a_function(template: Template) -> None:
    assert sorted(template.functions) == function_names()


def test_functions_are_made_one_way(template: Template) -> None:
    for folder, function in template.functions.items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["Handler"] == f"{folder}.handler.handler"
        assert function["FunctionName"] == f"VideoGenerator-{template.stage}-{folder}"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert len(function["VpcConfig"]["SubnetIds"]) == 2


def carriers(template: Template, layer: str) -> set[str]:
    """The functions that carry a layer."""
    return {
        folder
        for folder, function in template.functions.items()
        if any(f"Layers{layer}" in carried["Ref"] for carried in function["Layers"])
    }


def test_ffmpeg_is_carried_by_those_who_start_it(template: Template) -> None:
    assert carriers(template, "Ffmpeg") == FFMPEG_USERS


def test_the_offline_voice_is_carried_by_what_speaks(template: Template) -> None:
    assert carriers(template, "Speech") == SPEECH_USERS


def test_every_log_has_an_end(template: Template) -> None:
    for name, group in template.of_type("AWS::Logs::LogGroup").items():
        assert group.get("RetentionInDays"), name
        assert template.resources[name]["DeletionPolicy"] == "Delete", name


def test_every_function_writes_to_its_own_log(template: Template) -> None:
    groups = [json.dumps(f["LoggingConfig"]["LogGroup"]) for f in template.functions.values()]
    assert len(set(groups)) == len(template.functions)


def test_nothing_in_node_and_no_foreign_function(template: Template) -> None:
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert {kind for kind in kinds if kind.startswith("Custom::")} == {"Custom::DatabaseMigrations"}
    assert len(template.of_type("AWS::Lambda::Function")) == len(template.functions)


def test_media_are_private_encrypted_and_tls_only(template: Template) -> None:
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


def test_media_of_abandoned_uploads_and_of_the_inbox_expire(template: Template) -> None:
    rules = template.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert any(rule.get("AbortIncompleteMultipartUpload") for rule in rules)
    assert any(rule.get("Prefix") == "_uploads/" and rule["ExpirationInDays"] for rule in rules)
    assert any(rule.get("Prefix") == "inbox/" and rule["ExpirationInDays"] for rule in rules)
    assert any(rule.get("NoncurrentVersionExpiration") for rule in rules)


def test_pages_of_named_sites_write_and_any_page_with_a_link_reads(template: Template) -> None:
    cors = template.only("AWS::S3::Bucket").get("CorsConfiguration", {"CorsRules": []})
    for rule in cors["CorsRules"]:
        if any("*" in origin for origin in rule["AllowedOrigins"]):
            assert set(rule["AllowedMethods"]) <= {"GET", "HEAD"}
    everybody = [rule for rule in cors["CorsRules"] if rule["AllowedOrigins"] == ["*"]]
    assert len(everybody) == (1 if cors["CorsRules"] else 0)


def test_the_database_is_encrypted_private_and_speaks_tls_only(template: Template) -> None:
    instance = template.only("AWS::RDS::DBInstance")
    assert instance["StorageEncrypted"] is True
    assert instance["PubliclyAccessible"] is False
    assert instance["EngineVersion"].split(".")[0] == "18"
    assert "resolve:secretsmanager" in json.dumps(instance["MasterUserPassword"])
    parameters = template.only("AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    for proxy in template.of_type("AWS::RDS::DBProxy").values():
        assert proxy["RequireTLS"] is True


def test_what_else_could_hold_data_is_encrypted(template: Template) -> None:
    for queue in template.of_type("AWS::SQS::Queue").values():
        assert queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId")
    for instance in template.of_type("AWS::EC2::Instance").values():
        assert all(disk["Ebs"]["Encrypted"] for disk in instance["BlockDeviceMappings"])


def test_nobody_outside_gets_in(template: Template) -> None:
    for group in template.of_type("AWS::EC2::SecurityGroup").values():
        assert not group.get("SecurityGroupIngress")
    for rule in template.of_type("AWS::EC2::SecurityGroupIngress").values():
        assert "SourceSecurityGroupId" in rule
    rules = [
        json.dumps([rule[key] for key in ("GroupId", "SourceSecurityGroupId")])
        for rule in template.of_type("AWS::EC2::SecurityGroupIngress").values()
    ]
    assert len(set(rules)) == len(rules), "AWS refuses the same rule twice"


def test_nothing_in_the_vpc_listens_on_443(template: Template) -> None:
    """What decision 11 stands on: a URL of a client finds no neighbour to talk to."""
    kinds = [e.get("VpcEndpointType") for e in template.of_type("AWS::EC2::VPCEndpoint").values()]
    assert kinds == ["Gateway"]
    for name, rule in template.of_type("AWS::EC2::SecurityGroupIngress").items():
        # The instance that is the way out of stage dev forwards; it serves nothing.
        assert rule["ToPort"] != 443 or "NatSecurityGroup" in name, name


def test_one_nat_and_isolated_subnets_for_the_database(template: Template) -> None:
    nats = [*template.of_type("AWS::EC2::NatGateway")]
    nats += template.of_type("AWS::EC2::Instance")
    assert len(nats) == 1
    subnets = template.only("AWS::RDS::DBSubnetGroup")["SubnetIds"]
    tables = {
        json.dumps(link["RouteTableId"])
        for link in template.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
        if link["SubnetId"] in subnets
    }
    ways_out = {
        json.dumps(route["RouteTableId"]) for route in template.of_type("AWS::EC2::Route").values()
    }
    assert len(tables) == 2
    assert not tables & ways_out


def test_migrations_come_before_code_that_needs_them(template: Template) -> None:
    for name, folder in template.function_ids.items():
        waits = "Migrations" in template.resources[name]["DependsOn"]
        assert waits is (folder != "migrate"), folder


def test_every_resource_that_can_be_is_tagged_for_its_cost(template: Template) -> None:
    for kind in ("AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::RDS::DBInstance"):
        for properties in template.of_type(kind).values():
            tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
            assert tags["project"] == "ai-video-generator"
            assert tags["stage"] == template.stage
            assert tags["stack"] == f"VideoGenerator-{template.stage}"


def test_every_alarm_says_what_to_do_and_tells_somebody(template: Template) -> None:
    (topic,) = template.of_type("AWS::SNS::Topic")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == (12 if template.stage == "dev" else 10)  # two watch its NAT instance
    for alarm in alarms.values():
        assert alarm["AlarmDescription"]
        assert {"Ref": topic} in alarm["AlarmActions"]


def test_the_sweeper_runs_on_a_schedule_and_after_bad_ends(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule").values()
    (schedule,) = (rule for rule in rules if "ScheduleExpression" in rule)
    (ended,) = (r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.states"])
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert json.loads(schedule["Targets"][0]["Input"]) == {"source": "schedule"}
    (machine,) = template.of_type("AWS::StepFunctions::StateMachine")
    assert ended["EventPattern"]["detail"] == {
        "stateMachineArn": [{"Ref": machine}],
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
    }
    for rule in (schedule, ended):
        assert runs(template, rule) == "sweeper"


def test_every_upload_is_registered_and_nothing_that_functions_store(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule").values()
    of_objects = (r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.s3"])
    (uploaded,) = (rule for rule in of_objects if prefix(rule) == "_uploads/")
    assert runs(template, uploaded) == "register"
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
    """The folder of the bucket whose objects are the rule's events."""
    (key,) = rule["EventPattern"]["detail"]["object"]["key"]
    found: str = key["prefix"]
    return found


def runs(template: Template, rule: Json) -> str:
    """The function that a rule runs; nothing for one that feeds a queue."""
    (target,) = rule["Targets"]
    return template.function_ids.get(target["Arn"]["Fn::GetAtt"][0], "")


def test_outputs_are_the_ones_that_tools_read(template: Template) -> None:
    assert set(template.document["Outputs"]) == OUTPUTS


@pytest.mark.parametrize(("stage", "kept"), [("local", False), ("dev", False), ("prod", True)])
def test_what_destroy_leaves(templates: Mapping[str, Template], stage: str, kept: bool) -> None:
    template = templates[stage]
    policies = {
        resource["Type"]: resource["DeletionPolicy"]
        for resource in template.resources.values()
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::RDS::DBInstance")
    }
    assert policies["AWS::S3::Bucket"] == ("RetainExceptOnCreate" if kept else "Delete")
    assert policies["AWS::RDS::DBInstance"] == ("Snapshot" if kept else "Delete")
    assert template.only("AWS::RDS::DBInstance")["DeletionProtection"] is kept
    left = {
        resource["Type"]
        for resource in template.resources.values()
        if str(resource.get("DeletionPolicy")).startswith("Retain")
    }
    # The account's logging role costs nothing, and other APIs of the account may use it.
    free = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
    assert left - free == ({"AWS::S3::Bucket", "AWS::SecretsManager::Secret"} if kept else set())
