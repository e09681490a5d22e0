"""A small cloud assembly that the tests of the local cloud deploy.

`python -m tests.local.small_stack DIRECTORY` runs `up` for this stack in a state directory, prints
`ready` and waits until it is stopped.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from infra.local.cloud import running_cloud
from infra.local.state import State

STACK = "Small-local"
BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"

FUNCTION = """
import json, os, subprocess, sys, time, urllib.request
from pathlib import Path

STARTED = time.time()

class OutOfPaint(Exception):
    pass

def handler(event, context):
    action = event.get("action", "look")
    if action == "fail":
        raise OutOfPaint("no blue left")
    if action == "sleep":
        time.sleep(event["seconds"])
        return {"pid": os.getpid()}
    if action == "child":
        subprocess.Popen(["sleep", "317"])
        time.sleep(300)
    if action == "boto3":
        import boto3
        return "imported"
    import greeting
    return {
        "environment": dict(os.environ),
        "path": sys.path,
        "modules": sorted(sys.modules),
        "greeting": greeting.TEXT,
        "layer_file": greeting.__file__,
        "tool": subprocess.check_output(["layer-tool"], text=True),
        "tmp": sorted(os.listdir(os.environ["TMPDIR"])),
        "wrote": Path(os.environ["TMPDIR"], "mine").write_text("x"),
        "pid": os.getpid(),
        "remaining": context.get_remaining_time_in_millis(),
        "started": STARTED,
    }

def migrate(event, context):
    wanted = event["ResourceProperties"].get("Fail")
    if wanted == "raise":
        raise RuntimeError("column already exists")
    answer = {
        "Status": "SUCCESS", "PhysicalResourceId": "migrations",
        "StackId": event["StackId"], "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Seen": event["ResourceProperties"]["Digest"]},
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, method="PUT")
    urllib.request.urlopen(request).read()
"""


def template(code: str, layer: str, **changes: Any) -> dict[str, Any]:
    """Return the CloudFormation template; `code` and `layer` are asset hashes."""
    function = {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": f"{code}.zip"},
        "Layers": [{"Ref": "Layer"}],
        "Timeout": 20,
        "Environment": {"Variables": {"MEDIA_BUCKET": {"Ref": "Media"}}},
    }
    migrations = {
        "ServiceToken": {"Fn::GetAtt": ["Migrate", "Arn"]},
        "Digest": changes.get("digest", "1"),
        "Fail": changes.get("fail", ""),
    }
    machine = {
        "StartAt": "Paint",
        "States": {
            "Paint": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": {"Fn::GetAtt": ["Look", "Arn"]}, "Payload.$": "$"},
                "Catch": [{"ErrorEquals": ["OutOfPaint"], "ResultPath": "$", "Next": "Caught"}],
                "End": True,
            },
            "Caught": {"Type": "Pass", "End": True},
        },
    }
    resources: dict[str, Any] = {
        "Media": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
        },
        "MediaPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Media"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": {"AWS": "*"},
                            "Action": "s3:*",
                            "Resource": {"Fn::Sub": "${Media.Arn}/*"},
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "GenerateSecretString": {
                    "SecretStringTemplate": '{"username": "master"}',
                    "GenerateStringKey": "password",
                    "PasswordLength": 40,
                    "ExcludeCharacters": "\"'@/\\",
                }
            },
        },
        "Providers": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"SecretString": '{"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}'},
        },
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "database", "VpcId": {"Ref": "Vpc"}},
        },
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "Engine": "postgres",
                "DBInstanceClass": "db.t4g.micro",
                "AllocatedStorage": "20",
                "DBName": "video",
                "MasterUsername": "master",
                "MasterUserPassword": {
                    "Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:password}}"
                },
            },
        },
        "Rule": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": {"Fn::GetAtt": ["Group", "GroupId"]},
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "CidrIp": {"Fn::GetAtt": ["Vpc", "CidrBlock"]},
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": f"{layer}.zip"}},
        },
        "Look": {
            "Type": "AWS::Lambda::Function",
            "Properties": {**function, "Handler": "small.handler"},
        },
        "Migrate": {
            "Type": "AWS::Lambda::Function",
            "Properties": {**function, "Handler": "small.migrate"},
        },
        "Migrations": {
            "Type": "Custom::DatabaseMigrations",
            "Properties": migrations,
            "DependsOn": ["Database"],
        },
        "MachineRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
                "DefinitionString": {"Fn::Sub": json.dumps(machine)},
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "small"}},
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "Metrics": [
                    {"Id": "sum", "Expression": "errors * 2"},
                    {
                        "Id": "errors",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"},
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    },
                ],
            },
        },
    }
    # Fn::Sub in a JSON text needs placeholders, not nested functions.
    definition = json.dumps(machine).replace('{"Fn::GetAtt": ["Look", "Arn"]}', '"${Look.Arn}"')
    resources["Machine"]["Properties"]["DefinitionString"] = {"Fn::Sub": definition}
    api_url = "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/live/"
    outputs = {
        "ApiUrl": {"Fn::Sub": api_url},
        "MediaBucketName": {"Ref": "Media"},
        "SecretArn": {"Ref": "Secret"},
        "ProvidersSecretArn": {"Ref": "Providers"},
        "DatabasePort": {"Fn::GetAtt": ["Database", "Endpoint.Port"]},
        "LookName": {"Ref": "Look"},
        "StateMachineArn": {"Ref": "Machine"},
        "Seen": {"Fn::GetAtt": ["Migrations", "Seen"]},
        "Cidr": {"Fn::GetAtt": ["Vpc", "CidrBlock"]},
    }
    return {
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }


def write(directory: Path, **changes: Any) -> Path:
    """Write the assembly with manifest, assets and template; return its directory."""
    code, layer = directory / "code", directory / "layer"
    (layer / "python").mkdir(parents=True, exist_ok=True)
    (layer / "bin").mkdir(exist_ok=True)
    code.mkdir(exist_ok=True)
    (code / "small.py").write_text(FUNCTION)
    (layer / "python" / "greeting.py").write_text("TEXT = 'hello from the layer'\n")
    tool = layer / "bin" / "layer-tool"
    tool.write_text("#!/bin/sh\necho tool of the layer\n")
    tool.chmod(0o755)
    hashes = {name: _hash(directory / name) for name in ("code", "layer")}
    text = json.dumps(template(hashes["code"], hashes["layer"], **changes), indent=1)
    (directory / f"{STACK}.template.json").write_text(text)
    template_hash = hashlib.sha256(text.encode()).hexdigest()
    files = {hashes[name]: _asset(name, "zip", f"{hashes[name]}.zip") for name in ("code", "layer")}
    files[template_hash] = _asset(f"{STACK}.template.json", "file", f"{template_hash}.json")
    (directory / f"{STACK}.assets.json").write_text(json.dumps({"files": files}))
    stack = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": f"{STACK}.template.json"},
    }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": {STACK: stack}}))
    return directory


def _asset(path: str, packaging: str, key: str) -> dict[str, Any]:
    destination = {"bucketName": BUCKET, "objectKey": key}
    return {
        "source": {"path": path, "packaging": packaging},
        "destinations": {"here": destination},
    }


def _hash(directory: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def build(state: State) -> Path:
    """Return the assembly for running_cloud."""
    directory = state.root / "assembly"
    directory.mkdir(exist_ok=True)
    return write(directory)


def main() -> None:
    """Run the small stack until interrupted."""
    with running_cloud(Path(sys.argv[1]), build=build) as cloud:
        print("ready", flush=True)
        cloud.watch()


if __name__ == "__main__":
    main()
