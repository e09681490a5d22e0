"""cfn-lint of the cloud stages in old and new regions, which finds unavailable resources."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.infra.template import Template

REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "me-central-1",
    "il-central-1",
    "ap-southeast-5",
)


def lint(*templates: Path, regions: Sequence[str] = REGIONS) -> list[str]:
    """Return cfn-lint's findings except W3005: the CDK writes each function's role twice."""
    program = Path(sys.executable).with_name("cfn-lint")
    options = ["--format", "json", "--ignore-checks", "W3005", "--regions", *regions]
    command = [str(program), *options, "--", *map(str, templates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [f"{finding['Rule']['Id']} {finding['Message']}" for finding in json.loads(done.stdout)]


def test_templates_pass_cfn_lint_in_every_region(templates: Mapping[str, Template]) -> None:
    assert lint(templates["dev"].path, templates["prod"].path) == []


def test_cfn_lint_detects_resource_missing_in_region(tmp_path: Path) -> None:
    template = tmp_path / "old.template.json"
    instance = {
        "Engine": "postgres",
        "DBInstanceClass": "db.m1.small",
        "AllocatedStorage": "20",
        "ManageMasterUserPassword": True,
        "MasterUsername": "master",
    }
    resource = {
        "Type": "AWS::RDS::DBInstance",
        "Properties": instance,
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
    }
    template.write_text(json.dumps({"Resources": {"Database": resource}}))
    assert lint(template, regions=["il-central-1"])
