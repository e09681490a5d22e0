"""IAM permissions: exact actions on exact resources, with a reason for each wildcard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam as iam


@dataclass(frozen=True)
class Grant:
    """A policy statement, and the reasons to accept the cdk-nag findings about it."""

    statement: iam.PolicyStatement
    acknowledged: Mapping[str, str] = field(default_factory=dict)


def allow(
    actions: Sequence[str],
    resources: Sequence[str],
    acknowledged: Mapping[str, str] | None = None,
) -> Grant:
    """Return a grant that allows the actions on the resources."""
    statement = iam.PolicyStatement(actions=list(actions), resources=list(resources))
    return Grant(statement, acknowledged or {})


def deny(actions: Sequence[str], resources: Sequence[str]) -> Grant:
    """Return a grant that denies the actions on the resources, overriding every Allow."""
    statement = iam.PolicyStatement(
        effect=iam.Effect.DENY, actions=list(actions), resources=list(resources)
    )
    return Grant(statement)
