"""Restoring a destroyed `prod` from its retained bucket, snapshot and secrets."""

from typing import Any

import pytest

from infra import config
from tests.infra.conftest import RESTORED
from tests.infra.template import Json, Template
from tests.infra.test_template import lint


def database(template: Template) -> Json:
    return template.only("AWS::RDS::DBInstance")


def test_restore_retains_irreplaceable_secrets(prod: Template) -> None:
    kept = {
        prod.construct_paths[name].split("/")[-2]
        for name, resource in prod.resources.items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
        and resource["DeletionPolicy"] == "RetainExceptOnCreate"
    }
    assert kept == {"Keys", "Providers"}


def test_restored_database_uses_snapshot_and_new_password(
    prod: Template, restored: Template
) -> None:
    before, after = database(prod), database(restored)
    assert after["DBSnapshotIdentifier"] == RESTORED["snapshot"]
    # RDS takes these from the snapshot and rejects them as parameters.
    from_snapshot = {"AllocatedStorage", "DBName", "MasterUsername", "StorageEncrypted"}
    assert before.keys() - after.keys() == from_snapshot
    assert "resolve:secretsmanager" in str(after["MasterUserPassword"])
    new = {"DBSnapshotIdentifier", "MasterUserPassword"}
    for name in after.keys() - new:
        assert after[name] == before[name], name


def test_restored_database_runs_migrations(prod: Template, restored: Template) -> None:
    def properties(template: Template) -> Any:
        (properties,) = template.of_type("Custom::DatabaseMigrations").values()
        return properties

    assert properties(restored) == {
        **properties(prod),
        "Snapshot": RESTORED["snapshot"],
    }


def test_restored_bucket_is_imported_by_name_and_managed(
    prod: Template, restored: Template
) -> None:
    """CloudFormation imports resources with a fixed name and deletion policy Retain."""
    (name,) = restored.of_type("AWS::S3::Bucket")
    bucket = restored.resources[name]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = dict(bucket["Properties"])
    assert properties.pop("BucketName") == RESTORED["media_bucket"]
    assert properties == prod.only("AWS::S3::Bucket"), "all other properties stay the same"


def test_restored_bucket_policy_is_not_retained(prod: Template, restored: Template) -> None:
    """A bucket has one policy, so a retained policy would conflict with the new one."""
    for template in (prod, restored):
        ((_, policy),) = (
            (name, resource)
            for name, resource in template.resources.items()
            if resource["Type"] == "AWS::S3::BucketPolicy"
        )
        assert policy.get("DeletionPolicy", "Delete") == "Delete"
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_restored_template_changes_no_other_resource(prod: Template, restored: Template) -> None:
    changed = {
        resource["Type"]
        for name, resource in restored.resources.items()
        if resource != prod.resources.get(name)
    }
    assert changed == {"AWS::RDS::DBInstance", "AWS::S3::Bucket", "Custom::DatabaseMigrations"}
    assert restored.resources.keys() == prod.resources.keys()


def test_restored_template_passes_cfn_lint(restored: Template) -> None:
    assert lint(restored.path) == []


@pytest.mark.parametrize(
    "snapshot",
    [
        "video-2026",
        "rds:video-2026-11-30-03-12",
        "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:video-2026",
    ],
)
def test_snapshot_setting_accepts_name_and_arn(snapshot: str) -> None:
    assert config.stage("dev", {"snapshot": snapshot}).snapshot == snapshot


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("prod", {"snapshot": "latest please"}),
        ("prod", {"media_bucket": "Not_A_Bucket"}),
        ("dev", {"media_bucket": "retained-media"}),  # `make destroy` empties it
    ],
)
def test_invalid_restore_settings_are_rejected(stage: str, changes: dict[str, str]) -> None:
    (name,) = changes
    with pytest.raises(ValueError, match=name):
        config.stage(stage, changes)
