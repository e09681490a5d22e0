"""Gap: CloudFormation rejects a template with resource types that MiniStack does not support.

These are parts of a VPC, and RDS Proxy. The local cloud has no network to configure, and the
proxy's endpoint is PostgreSQL, so the types need only a physical id and the attributes that
templates read.
"""

from collections.abc import Callable
from typing import Any

from infra.local.launcher_settings import ACCOUNT, REGION, LauncherSettings
from infra.local.patches import _ministack

Properties = dict[str, Any]
Attributes = Callable[[str, Properties], dict[str, Any]]


def apply(settings: LauncherSettings) -> None:
    """Register the missing types."""
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}"
    missing: dict[str, Attributes] = {
        "AWS::EC2::SecurityGroupIngress": lambda identity, _: {"Id": identity},
        "AWS::EC2::SecurityGroupEgress": lambda identity, _: {"Id": identity},
        "AWS::EC2::EIP": lambda identity, _: {
            "AllocationId": identity,
            "PublicIp": "192.0.2.1",  # TEST-NET-1, for documentation
        },
        "AWS::EC2::FlowLog": lambda identity, _: {"Id": identity},
        "AWS::EC2::NatGateway": lambda identity, _: {"NatGatewayId": identity},
        "AWS::RDS::DBProxyTargetGroup": lambda identity, _: {
            "TargetGroupArn": f"{arn}:target-group:{identity}"
        },
        "AWS::RDS::DBProxy": lambda identity, properties: {
            "Endpoint": "127.0.0.1",
            "DBProxyArn": f"{arn}:db-proxy:{identity}",
            "VpcId": properties.get("VpcId", ""),
        },
    }
    for name, attributes in missing.items():
        _ministack.handlers()[name] = _named_only(attributes)


def _named_only(attributes: Attributes) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, Any]]:
        name = properties.get("DBProxyName") or f"{stack}-{logical_id}"
        identity = str(name)[:60].lower()
        return identity, attributes(identity, properties)

    return {"create": create, "delete": lambda identity, properties: None}
