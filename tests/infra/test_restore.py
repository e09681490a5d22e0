"""A destroyed `prod` can be had again from what it keeps: bucket, snapshot and secrets."""

from typing import Any

import pytest

from infra import config
from tests.infra.conftest import RESTORED
from tests.infra.template import Json, Template
from tests.infra.test_template import lint


def database(template: Template) -> Json:
    return template.only("AWS::RDS::DBInstance")


def test_secrets_that_nobody_can_make_again_are_kept(prod: Template) -> None:
    kept = {
        prod.construct_paths[name].split("/")[-2]
        for name, resource in prod.resources.items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
        and resource["DeletionPolicy"] == "RetainExceptOnCreate"
    }
    assert kept == {"Keys", "Providers"}


def test_database_starts_as_the_snapshot_with_a_new_password(
    prod: Template, restored: Template
) -> None:
    before, after = database(prod), database(restored)
    assert after["DBSnapshotIdentifier"] == RESTORED["snapshot"]
    # What RDS takes from the snapshot, and refuses to be told.
    of_the_snapshot = {"AllocatedStorage", "DBName", "MasterUsername", "StorageEncrypted"}
    assert before.keys() - after.keys() == of_the_snapshot
    assert "resolve:secretsmanager" in str(after["MasterUserPassword"])
    new = {"DBSnapshotIdentifier", "MasterUserPassword"}
    for name in after.keys() - new:
        assert after[name] == before[name], name


def test_migrations_run_on_the_restored_database(prod: Template, restored: Template) -> None:
    def properties(template: Template) -> Any:
        (found,) = template.of_type("Custom::DatabaseMigrations").values()
        return found

    assert properties(restored) == {
        **properties(prod),
        "Snapshot": RESTORED["snapshot"],
    }


def test_bucket_is_taken_over_by_its_name_and_stays_managed(
    prod: Template, restored: Template
) -> None:
    """CloudFormation imports what has a fixed name and is kept when the stack goes."""
    (name,) = restored.of_type("AWS::S3::Bucket")
    bucket = restored.resources[name]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = dict(bucket["Properties"])
    assert properties.pop("BucketName") == RESTORED["media_bucket"]
    assert properties == prod.only("AWS::S3::Bucket"), "events, CORS, rules and all as before"


def test_policy_of_the_bucket_goes_with_the_stack_and_is_made_anew(
    prod: Template, restored: Template
) -> None:
    """S3 has one policy for each bucket: one that stayed would be in the way of the next."""
    for template in (prod, restored):
        ((_, policy),) = (
            (name, resource)
            for name, resource in template.resources.items()
            if resource["Type"] == "AWS::S3::BucketPolicy"
        )
        assert policy.get("DeletionPolicy", "Delete") == "Delete"
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nothing_else_differs(prod: Template, restored: Template) -> None:
    changed = {
        resource["Type"]
        for name, resource in restored.resources.items()
        if resource != prod.resources.get(name)
    }
    assert changed == {"AWS::RDS::DBInstance", "AWS::S3::Bucket", "Custom::DatabaseMigrations"}
    assert restored.resources.keys() == prod.resources.keys()


def test_cfn_lint_has_nothing_to_say(restored: Template) -> None:
    assert lint(restored.path) == []


@pytest.mark.parametrize(
    "snapshot",
    [
        "video-2026",
        "rds:video-2026-11-30-03-12",
        "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:video-2026",
    ],
)
def test_snapshot_is_a_name_or_an_arn(snapshot: str) -> None:
    assert config.stage("dev", {"snapshot": snapshot}).snapshot == snapshot


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("prod", {"snapshot": "latest please"}),
        ("prod", {"media_bucket": "Not_A_Bucket"}),
        ("dev", {"media_bucket": "media-of-before"}),  # `make destroy` empties it
    ],
)
def test_what_cannot_be_restored_is_refused(stage: str, changes: dict[str, str]) -> None:
    (name,) = changes
    with pytest.raises(ValueError, match=name):
        config.stage(stage, changes)
