"""Acknowledgements of cdk-nag findings, each with a reason.

`tests/infra/test_nag.py` fails for findings without acknowledgement and for acknowledgements
without finding.
"""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Acknowledge a finding, such as `RDS3`, on this construct."""
    Validations.of(construct).acknowledge(
        Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason)
    )
