"""Gap: `Ref` of a secret returns its name; on AWS it returns its ARN.

The CDK's policies for a secret use `Ref`, so they would not match the ARN that a function reads.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Use the ARN as the physical id of AWS::SecretsManager::Secret."""
    handler = _ministack.handlers()["AWS::SecretsManager::Secret"]
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def create_by_arn(
        logical_id: str, properties: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, Any]]:
        _, attributes = create(logical_id, properties, stack)
        return attributes["Arn"], attributes

    def update_by_arn(identity: str, *rest: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        _, attributes = update(_name(identity), *rest, **options)
        return attributes.get("Arn") or identity, attributes

    def delete_by_arn(identity: str, *rest: Any, **options: Any) -> None:
        delete(_name(identity), *rest, **options)

    handler["create"], handler["update"], handler["delete"] = (
        create_by_arn,
        update_by_arn,
        delete_by_arn,
    )


def _name(identity: str) -> str:
    """Return `name` of `arn:...:secret:name-AbCdEf`."""
    _, separator, tail = identity.partition(":secret:")
    return tail.rsplit("-", 1)[0] if separator else identity
