"""cdk-nag's AwsSolutions: findings and acknowledgements match one to one."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from aws_cdk import Acknowledgment, App
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from infra import config
from infra.app import app
from infra.constructs import nag

pytestmark = pytest.mark.usefixtures("layers")


@dataclass(frozen=True)
class Finding:
    """A rule and the construct path at which it was violated."""

    rule: str
    construct_path: str

    def is_covered_by(self, acknowledged: "Finding") -> bool:
        is_inside = (
            self.construct_path == acknowledged.construct_path
            or self.construct_path.startswith(f"{acknowledged.construct_path}/")
        )
        return is_inside and self.rule == acknowledged.rule


@dataclass(frozen=True)
class AcknowledgementRecorder:
    """A replacement of the CDK's `Validations` that records acknowledgements without effect."""

    recorded: dict[Finding, str]

    def of(self, construct: IConstruct) -> "ConstructRecorder":
        return ConstructRecorder(self.recorded, construct.node.path)


@dataclass(frozen=True)
class ConstructRecorder:
    """The recorder of one construct."""

    recorded: dict[Finding, str]
    construct_path: str

    def acknowledge(self, rule: Acknowledgment) -> None:
        finding = Finding(rule.id, self.construct_path)
        assert finding not in self.recorded, f"acknowledged twice: {finding}"
        self.recorded[finding] = rule.reason


def findings(application: App) -> list[Finding]:
    report = AwsSolutionsChecks(application).validate_scope(application)
    return [
        Finding(violation.rule_name, resource.construct_path or "")
        for violation in report.violations
        for resource in violation.violating_resources
    ]


@pytest.mark.parametrize("stage", list(config.STAGES))
def test_every_cdk_nag_finding_is_acknowledged_once_with_reason(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: dict[Finding, str] = {}
    monkeypatch.setattr(nag, "Validations", AcknowledgementRecorder(acknowledged))
    violations = findings(app(config.stage(stage), out=tmp_path))
    for acknowledgement, reason in acknowledged.items():
        matching = [finding for finding in violations if finding.is_covered_by(acknowledgement)]
        assert len(matching) == 1, f"{len(matching)} findings for {acknowledgement}"
        assert len(reason.split()) >= 5, f"no reason for {acknowledgement}"
    for finding in violations:
        assert any(finding.is_covered_by(acknowledgement) for acknowledgement in acknowledged), (
            finding
        )


def test_cdk_nag_reports_no_unacknowledged_finding(tmp_path: Path) -> None:
    assert findings(app(config.stage("prod"), out=tmp_path)) == []
