"""Differences between stages: only sizes, retention and endpoints."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra import config
from infra.app import synthesize
from infra.constructs.api import KEYLESS
from tests.infra.template import Json, Template

_RULES = "LifecycleConfiguration.Rules"
# Allowed differences between the two templates: resource type and property path.
ALLOWED = {
    # Sizes
    ("AWS::RDS::DBInstance", "AllocatedStorage"),
    ("AWS::RDS::DBInstance", "MaxAllocatedStorage"),
    ("AWS::RDS::DBInstance", "DBInstanceClass"),
    ("AWS::RDS::DBInstance", "MultiAZ"),
    *(
        ("AWS::ApiGateway::Stage", f"MethodSettings.{index}.Throttling{kind}Limit")
        for index in range(len(KEYLESS) + 1)
        for kind in ("Rate", "Burst")
    ),
    ("AWS::StepFunctions::StateMachine", "States.Scenes.MaxConcurrency"),
    # Retention
    ("AWS::Logs::LogGroup", "RetentionInDays"),
    ("AWS::RDS::DBInstance", "BackupRetentionPeriod"),
    ("AWS::RDS::DBInstance", "DeleteAutomatedBackups"),
    ("AWS::RDS::DBInstance", "DeletionProtection"),
    ("AWS::RDS::DBInstance", "@DeletionPolicy"),
    ("AWS::RDS::DBInstance", "@UpdateReplacePolicy"),
    ("AWS::S3::Bucket", f"{_RULES}.2.NoncurrentVersionExpiration.NoncurrentDays"),
    ("AWS::S3::Bucket", "@DeletionPolicy"),
    ("AWS::S3::Bucket", "@UpdateReplacePolicy"),
    ("AWS::SecretsManager::Secret", "@DeletionPolicy"),
    ("AWS::SecretsManager::Secret", "@UpdateReplacePolicy"),
    # Endpoints
    ("AWS::Lambda::Function", "Environment.Variables.STAGE"),
    ("AWS::Lambda::Function", "Environment.Variables.DATABASE_TLS"),
    *(
        ("AWS::Lambda::Function", f"Environment.Variables.{kind}_PROVIDER")
        for kind in ("TEXT", "IMAGE", "VIDEO", "SPEECH")
    ),
    ("AWS::S3::Bucket", "CorsConfiguration"),
    ("AWS::Lambda::Function", "Environment.Variables.CORS_ORIGINS"),
    *(
        ("AWS::ApiGateway::GatewayResponse", f"ResponseParameters.gatewayresponse.header.{name}")
        for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers")
    ),
    # Bytecode of the Python that runs the functions
    ("AWS::Lambda::Function", "Code.S3Key"),
    # The same packages of the lock file, as wheels for another platform
    ("AWS::Lambda::LayerVersion", "Content.S3Key"),
}


def resources(template: Template) -> dict[str, Json]:
    """Return the resources by construct path, which is the same in every stage."""
    names = {
        logical_id: re.sub(
            rf"VideoGenerator-?{template.stage}|[0-9A-F]{{8}}(?=\W|$)", "", construct_path
        )
        for logical_id, construct_path in template.construct_paths.items()
    }
    assert len(set(names.values())) == len(names) == len(template.resources)
    text = json.dumps({name: template.resources[name] for name in names})
    for logical_id, name in names.items():
        text = text.replace(f'"{logical_id}"', json.dumps(name))
    text = re.sub(rf"VideoGenerator-?{template.stage}", "VideoGenerator", text)
    text = re.sub(r"(?<=DatabaseInstanceProxy)[0-9A-F]{8}|(?<=Authorizer)[0-9A-F]{8}", "", text)
    normal: dict[str, Json] = json.loads(text)
    return {name: flatten(resource) for name, resource in normal.items()}


def flatten(resource: Json) -> Json:
    """Return the type, properties, policies and dependencies of a resource in one dict."""
    properties = resource["Properties"]
    if "DefinitionString" in properties:
        properties.update(json.loads(properties.pop("DefinitionString")))
    if "PolicyName" in properties:
        properties["PolicyName"] = "derived from the logical id"
    return {
        **properties,
        "Tags": [tag for tag in properties.get("Tags", []) if tag["Key"] != "stage"],
        "@Type": resource["Type"],
        "@DeletionPolicy": resource.get("DeletionPolicy"),
        "@UpdateReplacePolicy": resource.get("UpdateReplacePolicy"),
        "@DependsOn": sorted(resource.get("DependsOn", [])),
    }


def differences(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which two JSON values differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from differences(left.get(key), right.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from differences(a, b, f"{path}.{index}")
    elif left != right:
        yield path


def test_local_stage_differs_from_prod_only_as_listed(
    templates: Mapping[str, Template],
) -> None:
    local, prod = resources(templates["local"]), resources(templates["prod"])
    assert local.keys() == prod.keys()
    actual = {
        (prod[name]["@Type"], path)
        for name in prod
        for path in differences(local[name], prod[name])
    }
    assert actual - ALLOWED == set()
    assert ALLOWED - actual == set(), "no longer different: remove it from the list"


def test_local_stage_has_same_resource_types_as_prod(templates: Mapping[str, Template]) -> None:
    local, prod = (
        Counter(resource["Type"] for resource in templates[name].resources.values())
        for name in ("local", "prod")
    )
    assert local == prod


def test_stages_have_same_functions_routes_states_and_permissions(
    templates: Mapping[str, Template],
) -> None:
    prod = templates["prod"]
    for template in templates.values():
        assert template.functions.keys() == prod.functions.keys()
        assert template.routes.keys() == prod.routes.keys()
        assert template.machine["States"].keys() == prod.machine["States"].keys()
        for folder in prod.functions:
            assert actions(template, folder) == actions(prod, folder)


def actions(template: Template, folder: str) -> list[str]:
    return [
        json.dumps([statement["Effect"], statement["Action"]])
        for statement in template.statements_of(folder)
    ]


def test_differences_yields_changed_paths() -> None:
    left = {"a": {"b": [1, {"c": 2}]}, "d": 1}
    right = {"a": {"b": [1, {"c": 3}]}, "e": 1}
    assert list(differences(left, right)) == ["a.b.1.c", "d", "e"]


def test_unknown_stage_error_lists_known_stages() -> None:
    with pytest.raises(ValueError, match="local, dev, prod"):
        config.stage("staging")


def test_stage_overrides_accept_only_declared_settings() -> None:
    with pytest.raises(ValueError, match="multi_az cannot be set"):
        config.stage("prod", {"multi_az": "false"})
    changed = config.stage(
        "dev", {"text_provider": "openai", "cors_origins": "https://a,https://b"}
    )
    assert changed.text_provider == "openai"
    assert changed.cors_origins == ("https://a", "https://b")


def test_subnets_use_configured_availability_zones(layers: object, tmp_path: Path) -> None:
    zones = ["us-east-1b", "us-east-1c", "us-east-1d"]
    stage = config.stage("prod", {"availability_zones": ",".join(zones)})
    template = Template("prod", synthesize(stage, tmp_path))
    subnets = template.of_type("AWS::EC2::Subnet").values()
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == sorted(zones * 3)


def test_alarm_topic_notifies_configured_email(layers: object, tmp_path: Path) -> None:
    stage = config.stage("dev", {"alarm_email": "ops@example.com"})
    subscription = Template("dev", synthesize(stage, tmp_path)).only("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("availability_zones", "us-east-1a"),
        ("availability_zones", "us-east-1a,us-east-1a"),
        ("alarm_email", "ops"),
        ("hourly_alarm_usd", "0"),
        ("hourly_alarm_usd", "lots"),
        ("monthly_budget_usd", "-5"),
        ("monthly_budget_usd", "1e3"),
    ],
)
def test_invalid_stage_setting_error_names_setting(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        config.stage("dev", {name: value})
