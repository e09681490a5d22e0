"""Rights, as exact actions on exact resources, and why a resource holds a wildcard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam as iam


@dataclass(frozen=True)
class Grant:
    """One statement, and the reason for each finding that cdk-nag will have about it."""

    statement: iam.PolicyStatement
    acknowledged: Mapping[str, str] = field(default_factory=dict)


def allow(
    actions: Sequence[str],
    resources: Sequence[str],
    acknowledged: Mapping[str, str] | None = None,
) -> Grant:
    """Allow the actions on the resources."""
    statement = iam.PolicyStatement(actions=list(actions), resources=list(resources))
    return Grant(statement, acknowledged or {})


def deny(actions: Sequence[str], resources: Sequence[str]) -> Grant:
    """Deny the actions on the resources, whatever else allows them."""
    statement = iam.PolicyStatement(
        effect=iam.Effect.DENY, actions=list(actions), resources=list(resources)
    )
    return Grant(statement)
