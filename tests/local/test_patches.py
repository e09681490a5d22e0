"""Patches of MiniStack: each gap exists in the unpatched emulator and is closed in the local cloud.

A failing test of `TestGaps` means that a newer MiniStack has closed the gap: delete the patch. Each
test is named after its patch.
"""

import io
import json
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from infra.local import patches
from infra.local.connection import Connection, local_url
from infra.local.patches.stable_names import generated_secret
from tests.local.conftest import invoke

ROLE = "arn:aws:iam::000000000000:role/any"
TRUST = {"Version": "2012-10-17", "Statement": []}


def deploy(
    link: Connection, name: str, resources: dict[str, Any], outputs: dict[str, Any] | None = None
) -> tuple[str, dict[str, str], str]:
    """Create a stack; return its status, its outputs and the failure reasons."""
    cloudformation = link.client("cloudformation")
    values = {key: {"Value": value} for key, value in (outputs or {}).items()}
    body = json.dumps({"Resources": resources, "Outputs": values})
    cloudformation.create_stack(StackName=name, TemplateBody=body, OnFailure="DO_NOTHING")
    for _ in range(200):
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    stack_outputs = {
        output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
    }
    return stack["StackStatus"], stack_outputs, reasons


def function(link: Connection, name: str, code: str, **options: Any) -> None:
    """Create a Python function from source text."""
    iam = link.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(TRUST))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("index.py", code)
    link.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        **options,
    )


def create_user(link: Connection, name: str) -> Connection:
    """Create a user with full access to S3; bucket policies do not apply to root."""
    iam = link.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Connection(link.endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def create_api(
    link: Connection,
    name: str,
    code: str,
    method: str,
    *,
    milliseconds: int = 29_000,
    **options: Any,
) -> str:
    """Create a function and a REST API in front of it; return the URL."""
    function(link, name, code, **options)
    gateway = link.client("apigateway")
    api = gateway.create_rest_api(name=name)["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    target = {"restApiId": api, "resourceId": root["id"], "httpMethod": method}
    gateway.put_method(**target, authorizationType="NONE")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    gateway.put_integration(
        **target,
        type="AWS_PROXY",
        timeoutInMillis=milliseconds,
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    return local_url(f"https://{api}.execute-api.us-east-1.amazonaws.com/live", link.endpoint)


def api_event(link: Connection) -> dict[str, Any]:
    """Return the event of a function invoked through a REST API."""
    code = (
        "import json\ndef handler(event, _): return {'statusCode': 200, 'body': json.dumps(event)}"
    )
    url = create_api(link, "echo", code, "GET")
    event: dict[str, Any] = requests.get(f"{url}/", timeout=30).json()
    return event


def statuses_by_size(link: Connection, name: str) -> dict[str, int]:
    """Return the statuses of requests and responses around Lambda's payload limit of 6 MB."""
    code = (
        "def handler(event, _):\n"
        "    return {'statusCode': 200, 'body': 'x' * int(event['queryStringParameters']['n'])}"
    )
    url = create_api(link, name, code, "POST")
    limit = 6 * 1024 * 1024
    sizes = {
        "request": (limit - 1000, 0),
        "large request": (limit + 1, 0),
        "answer": (1, limit - 1000),
        "large answer": (1, limit + 1),
    }
    return {
        name_: requests.post(f"{url}/?n={response_size}", data="x" * size, timeout=60).status_code
        for name_, (size, response_size) in sizes.items()
    }


HEADERS = """
def handler(event, _):
    facts = {"Content-Length": "1234", "Content-Type": "video/mp4", "ETag": '"a"'}
    return {"statusCode": 200, "headers": facts, "body": ""}
"""

# Waits until one second is left of its own timeout or of the gateway's.
SLOW_INIT = """
import time
time.sleep(1)
def handler(event, context):
    if event["queryStringParameters"]["clock"] == "function":
        seconds = context.get_remaining_time_in_millis() / 1000
    else:
        seconds = event["requestContext"]["requestTimeEpoch"] / 1000 + 3 - time.time()
    time.sleep(max(0, seconds - 1))
    return {"statusCode": 200, "body": "in time"}
"""


def cold_start_statuses(link: Connection, name: str) -> dict[str, int]:
    """Return the statuses of a cold function behind a REST API with a timeout of three seconds.

    Its INIT takes one second. Its own timeout of three seconds ends after the gateway's.
    """
    statuses = {}
    for clock in ("function", "gateway"):
        url = create_api(link, f"{name}-{clock}", SLOW_INIT, "GET", Timeout=3, milliseconds=3000)
        statuses[clock] = requests.get(f"{url}/?clock={clock}", timeout=30).status_code
    return statuses


def throttled_results(link: Connection, name: str) -> tuple[int, str]:
    """Return the API's status and the Step Functions error of a throttled function."""
    url = create_api(link, name, "def handler(event, _): return {}", "GET")
    link.client("lambda").put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=0
    )
    status = requests.get(f"{url}/", timeout=30).status_code
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    task = {"Type": "Task", "Resource": arn, "End": True}
    return status, run_state_machine(link, name, {"StartAt": "Call", "States": {"Call": task}})[
        "error"
    ]


def run_state_machine(link: Connection, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Run a state machine to its end; return the description of the execution."""
    states = link.client("stepfunctions")
    machine = states.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    for _ in range(400):
        found: dict[str, Any] = dict(states.describe_execution(executionArn=arn))
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise TimeoutError(name)


def retry_seconds(link: Connection, name: str) -> float:
    """Return the seconds of an execution with three attempts and pauses of at most one second."""
    function(link, name, "def handler(event, _): raise ValueError")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    retrier = {
        "ErrorEquals": ["ValueError", "Runtime.HandlerError"],
        "IntervalSeconds": 1,
        "BackoffRate": 3,
        "MaxAttempts": 2,
        "MaxDelaySeconds": 1,
        "JitterStrategy": "FULL",
    }
    task = {"Type": "Task", "Resource": arn, "Retry": [retrier], "End": True}
    found = run_state_machine(link, name, {"StartAt": "Call", "States": {"Call": task}})
    return float((found["stopDate"] - found["startDate"]).total_seconds())


def object_event(link: Connection, bucket: str) -> dict[str, Any]:
    """Return the object of the EventBridge event for an upload into a versioned bucket."""
    s3, sqs, bridge = link.client("s3"), link.client("sqs"), link.client("events")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    queue = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{bucket}"
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    bridge.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule=bucket, Targets=[{"Id": "queue", "Arn": arn}])
    version = s3.put_object(Bucket=bucket, Key="a b+c", Body=b"a")["VersionId"]
    response = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)
    found: dict[str, Any] = json.loads(response["Messages"][0]["Body"])["detail"]["object"]
    assert found["key"] == "a b+c"  # not URL-encoded
    assert found.get("version-id") in (None, version)
    return found


def keys_deleted_without_permission(link: Connection, bucket: str) -> list[str]:
    """Return the keys that DeleteObjects deletes for a user with DeleteObjectVersion alone."""
    s3, iam = link.client("s3"), link.client("iam")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    objects = [
        {"Key": key, "VersionId": s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"]}
        for key in ("granted", "b", "c", "d")
    ]
    iam.create_user(UserName=bucket)
    arn = f"arn:aws:s3:::{bucket}"
    statements = [
        {"Effect": "Allow", "Action": "s3:DeleteObjectVersion", "Resource": f"{arn}/*"},
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"{arn}/granted"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=bucket, PolicyName="s3", PolicyDocument=policy)
    key = iam.create_access_key(UserName=bucket)["AccessKey"]
    eraser = Connection(link.endpoint, key["AccessKeyId"], key["SecretAccessKey"]).client("s3")
    try:
        response = eraser.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    except ClientError:
        return []
    return [item["Key"] for item in response.get("Deleted", [])]


def list_buckets_as_role(link: Connection, name: str) -> None:
    """Call S3 with a role without permissions."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = link.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]
    session = link.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
    credentials = session["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=link.endpoint,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_buckets()


class TestGaps:
    """Gaps of the unpatched MiniStack."""

    def test_missing_resource_types(self, stock: Connection) -> None:
        types = [
            "AWS::EC2::EIP",
            "AWS::EC2::FlowLog",
            "AWS::EC2::NatGateway",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::RDS::DBProxy",
            "AWS::RDS::DBProxyTargetGroup",
        ]
        with pytest.raises(ClientError) as caught:
            deploy(stock, "types", {f"R{n}": {"Type": name} for n, name in enumerate(types)})
        assert f"Unrecognized resource types: [{', '.join(types)}]" in str(caught.value)

    def test_vpc_attributes(self, stock: Connection) -> None:
        vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}}
        outputs = {"Cidr": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}
        _, outputs_, _ = deploy(stock, "vpc", {"Vpc": vpc}, outputs)
        assert outputs_.get("Cidr") != "10.7.0.0/16"

    def test_database_instance(self, stock: Connection) -> None:
        properties = {
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.micro",
            "MasterUsername": "m",
            "MasterUserPassword": "p" * 12,
        }
        database = {"Type": "AWS::RDS::DBInstance", "Properties": properties}
        outputs = {"Host": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}}
        _, outputs_, _ = deploy(stock, "database", {"Database": database}, outputs)
        assert outputs_["Host"].endswith(".rds.amazonaws.com")

    def test_metric_math_alarm(self, stock: Connection) -> None:
        properties = {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "Metrics": [{"Id": "sum", "Expression": "1 + 1"}],
        }
        alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
        status, _, reasons = deploy(stock, "alarm", {"Alarm": alarm})
        assert status == "CREATE_FAILED"
        assert "metric math" in reasons

    def test_custom_resource_failure(self, stock: Connection) -> None:
        function(stock, "broken", "def handler(event, context): raise RuntimeError('no column')")
        properties = {
            "ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:broken",
            "ServiceTimeout": 1,
        }
        status, _, reasons = deploy(
            stock, "custom", {"Custom": {"Type": "Custom::Any", "Properties": properties}}
        )
        assert status == "CREATE_FAILED"
        assert "timed out after 1s" in reasons
        assert "no column" not in reasons

    def test_python_runtime(self, stock: Connection) -> None:
        code = """
import os
class OutOfPaint(Exception): pass
def handler(event, context):
    if event: raise OutOfPaint("no blue left")
    return dict(os.environ)
"""
        function(stock, "stock", code)
        assert invoke(stock, {"x": 1}, "stock")["errorType"] != "OutOfPaint"
        assert "GATEWAY_PORT" in invoke(stock, {}, "stock")  # from the emulator's environment

    def test_secure_transport(self, stock: Connection) -> None:
        s3 = stock.client("s3")
        s3.create_bucket(Bucket="tls-only")
        statement = {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::tls-only/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps(policy))
        alice = create_user(stock, "alice")
        with pytest.raises(ClientError, match="AccessDenied"):
            alice.client("s3").put_object(Bucket="tls-only", Key="a", Body=b"a")

    def test_secret_reference(self, stock: Connection) -> None:
        secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "s"}}
        _, outputs_, _ = deploy(stock, "secret", {"Secret": secret}, {"Ref": {"Ref": "Secret"}})
        assert not outputs_["Ref"].startswith("arn:")

    def test_stable_names(self, stock: Connection) -> None:
        resources = {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "a"}},
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": "generated", "GenerateSecretString": {"PasswordLength": 9}},
            },
        }
        outputs = {"Bucket": {"Ref": "Bucket"}, "Api": {"Ref": "Api"}}
        deployments = []
        for _ in range(2):
            _, outputs_, _ = deploy(stock, "names", resources, outputs)
            secret = stock.client("secretsmanager").get_secret_value(SecretId="generated")
            deployments.append({**outputs_, "Secret": secret["SecretString"]})
            stock.client("cloudformation").delete_stack(StackName="names")
            time.sleep(0.5)
        assert all(
            deployments[0][name] != deployments[1][name] for name in ("Bucket", "Api", "Secret")
        )

    def test_root_credential(self, stock: Connection) -> None:
        guessed = Connection(stock.endpoint, "test", "anything")
        assert "SecretList" in guessed.client("secretsmanager").list_secrets()

    def test_called_address(self, stock: Connection) -> None:
        event = api_event(stock)
        context = event["requestContext"]
        assert "domainName" not in context
        assert context["path"] == "/live/"
        assert not {"x-forwarded-proto"} & {name.lower() for name in event["headers"]}

    def test_payload_limit(self, stock: Connection) -> None:
        assert set(statuses_by_size(stock, "sizes").values()) == {200}

    def test_object_version(self, stock: Connection) -> None:
        assert "version-id" not in object_event(stock, "stock-events")

    def test_integration_timeout(self, stock: Connection) -> None:
        assert cold_start_statuses(stock, "stock-cold")["function"] == 200

    def test_remapped_headers(self, stock: Connection) -> None:
        url = create_api(stock, "stock-headers", HEADERS, "HEAD")
        assert requests.head(f"{url}/", timeout=30).headers["Content-Length"] == "1234"

    def test_refused_invocation(self, stock: Connection) -> None:
        assert throttled_results(stock, "stock-refused") == (429, "Lambda.Unknown")

    def test_retry_pauses(self, stock: Connection) -> None:
        assert retry_seconds(stock, "stock-retries") > 4

    def test_delete_objects(self, stock: Connection) -> None:
        assert keys_deleted_without_permission(stock, "stock-erasing") == ["granted", "b", "c", "d"]

    def test_decision_log(self, stock_root: Path, stock: Connection) -> None:
        list_buckets_as_role(stock, "logged")
        assert not (stock_root / "log" / "iam.jsonl").exists()

    def test_every_patch_has_gap_test(self) -> None:
        names = {f"test_{patch.__name__.rsplit('.', 1)[-1]}" for patch in patches.ALL}
        assert names <= set(vars(TestGaps))


class TestClosed:
    """Behaviour of the patched local cloud."""

    def test_vpc_attributes(self, small: Connection) -> None:
        assert small.outputs["Cidr"] == "10.7.0.0/16"

    def test_metric_math_alarm(self, small: Connection) -> None:
        [alarm] = small.client("cloudwatch").describe_alarms()["MetricAlarms"]
        assert alarm["MetricName"] == "Errors"

    def test_secure_transport_and_secret_reference(self, small: Connection) -> None:
        bucket = small.outputs["MediaBucketName"]
        create_user(small, "alice").client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
        assert small.outputs["SecretArn"].startswith("arn:aws:secretsmanager:")

    def test_object_version(self, small: Connection) -> None:
        assert object_event(small, "small-events")["version-id"]

    def test_delete_objects(self, small: Connection) -> None:
        assert keys_deleted_without_permission(small, "small-erasing") == []

    def test_decision_log(self, root: Path, small: Connection) -> None:
        list_buckets_as_role(small, "logged")
        last = (root / "log" / "iam.jsonl").read_text().splitlines()[-1]
        assert json.loads(last) == {
            "role": "logged",
            "action": "s3:ListAllMyBuckets",
            "resource": "*",
            "allowed": False,
        }

    @pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
    def test_root_credential(self, small: Connection, key: str) -> None:
        guessed = Connection(small.endpoint, key, "test")
        with pytest.raises(ClientError, match=r"invalid|not match"):
            guessed.client("secretsmanager").list_secrets()

    def test_called_address(self, small: Connection) -> None:
        event = api_event(small)
        context = event["requestContext"]
        scheme = event["headers"]["X-Forwarded-Proto"]
        assert f"{scheme}://{context['domainName']}" == small.endpoint
        assert context["path"].startswith("/_aws/execute-api/")

    def test_payload_limit(self, small: Connection) -> None:
        assert statuses_by_size(small, "sizes") == {
            "request": 200,
            "large request": 413,
            "answer": 200,
            "large answer": 502,
        }

    def test_integration_timeout(self, small: Connection) -> None:
        assert cold_start_statuses(small, "small-cold") == {"function": 504, "gateway": 200}

    def test_remapped_headers(self, small: Connection) -> None:
        url = create_api(small, "small-headers", HEADERS, "HEAD")
        headers = requests.head(f"{url}/", timeout=30).headers
        assert headers.get("Content-Length") in (None, "0")
        assert headers["x-amzn-Remapped-Content-Length"] == "1234"
        assert (headers["Content-Type"], headers["ETag"]) == ("video/mp4", '"a"')

    def test_refused_invocation(self, small: Connection) -> None:
        assert throttled_results(small, "small-refused") == (504, "Lambda.TooManyRequestsException")

    def test_retry_pauses(self, small: Connection) -> None:
        assert retry_seconds(small, "small-retries") < 4

    def test_generated_secret_follows_settings(self) -> None:
        settings = {
            "SecretStringTemplate": '{"username": "master"}',
            "GenerateStringKey": "password",
            "PasswordLength": 200,
            "ExcludePunctuation": True,
            "ExcludeCharacters": "aZ0",
        }
        value = json.loads(generated_secret(settings, "seed"))
        assert value["username"] == "master"
        assert len(value["password"]) == 200
        assert value["password"].isalnum()
        assert not set("aZ0") & set(value["password"])
        assert value == json.loads(generated_secret(settings, "seed"))
        assert value != json.loads(generated_secret(settings, "other seed"))
