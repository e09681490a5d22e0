"""Gap: a VPC has no attribute `CidrBlock`, which security group rules read."""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Add the attributes that AWS documents for AWS::EC2::VPC."""
    handler = _ministack.handlers()["AWS::EC2::VPC"]
    create = handler["create"]

    def create_with_attributes(
        logical_id: str, properties: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, Any]]:
        identity, attributes = create(logical_id, properties, stack)
        defaults = {
            "CidrBlock": properties.get("CidrBlock", "10.0.0.0/16"),
            "CidrBlockAssociations": [],
            "Ipv6CidrBlocks": [],
        }
        return identity, {**defaults, **attributes}

    handler["create"] = create_with_attributes
