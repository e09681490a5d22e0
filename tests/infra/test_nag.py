"""cdk-nag's AwsSolutions: no finding without an acknowledgement, none without a finding."""

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
    """A rule, with what it names, at a place in the tree of constructs."""

    rule: str
    place: str

    def answers(self, acknowledged: "Finding") -> bool:
        below = self.place == acknowledged.place or self.place.startswith(f"{acknowledged.place}/")
        return below and self.rule == acknowledged.rule


@dataclass(frozen=True)
class Notebook:
    """Takes the place of the CDK's `Validations`: writes acknowledgements down, acts on none."""

    written: dict[Finding, str]

    def of(self, construct: IConstruct) -> "Page":
        return Page(self.written, construct.node.path)


@dataclass(frozen=True)
class Page:
    """The notebook, open at one construct."""

    written: dict[Finding, str]
    place: str

    def acknowledge(self, rule: Acknowledgment) -> None:
        finding = Finding(rule.id, self.place)
        assert finding not in self.written, f"acknowledged twice: {finding}"
        self.written[finding] = rule.reason


def findings(made: App) -> list[Finding]:
    report = AwsSolutionsChecks(made).validate_scope(made)
    return [
        Finding(violation.rule_name, resource.construct_path or "")
        for violation in report.violations
        for resource in violation.violating_resources
    ]


@pytest.mark.parametrize("stage", list(config.STAGES))
def test_every_finding_is_acknowledged_once_with_a_reason(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: dict[Finding, str] = {}
    monkeypatch.setattr(nag, "Validations", Notebook(acknowledged))
    found = findings(app(config.stage(stage), out=tmp_path))
    for acknowledgement, reason in acknowledged.items():
        answered = [finding for finding in found if finding.answers(acknowledgement)]
        assert len(answered) == 1, f"{len(answered)} findings for {acknowledgement}"
        assert len(reason.split()) >= 5, f"no reason for {acknowledgement}"
    for finding in found:
        assert any(finding.answers(acknowledgement) for acknowledgement in acknowledged), finding


def test_cdk_nag_takes_the_acknowledgements(tmp_path: Path) -> None:
    assert findings(app(config.stage("prod"), out=tmp_path)) == []
