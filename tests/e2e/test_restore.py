"""Restoring a database dump and a copy of the media into a new cloud (docs/operations.md)."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from infra.local import postgres
from infra.local.cloud import running_cloud
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess

SMALL = {"prompt": "A lighthouse keeper", "scenes": 1, "seconds": 2, "ratio": "960:960"}


def run_program(stack: StackAccess, name: str, *arguments: str) -> None:
    """Run a PostgreSQL program as the owner of the cloud's database."""
    environment = stack.environment("migrate")
    secret = stack.link.client("secretsmanager").get_secret_value(
        SecretId=environment["DATABASE_SECRET_ARN"]
    )
    login = json.loads(secret["SecretString"])
    variables = {
        "PGHOST": environment["DATABASE_HOST"],
        "PGPORT": environment["DATABASE_PORT"],
        "PGDATABASE": environment["DATABASE_NAME"],
        "PGUSER": login["username"],
        "PGPASSWORD": login["password"],
    }
    done = subprocess.run(
        [postgres.program(name), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def copy_media(source: Connection, target: Connection) -> None:
    buckets = [link.outputs["MediaBucketName"] for link in (source, target)]
    pages = source.client("s3").get_paginator("list_objects_v2").paginate(Bucket=buckets[0])
    for item in (item for page in pages for item in page.get("Contents", [])):
        response = source.client("s3").get_object(Bucket=buckets[0], Key=item["Key"])
        target.client("s3").put_object(
            Bucket=buckets[1],
            Key=item["Key"],
            Body=response["Body"].read(),
            ContentType=response["ContentType"],
        )


def download(client: Client, video: dict[str, Any]) -> bytes:
    link = client.call("GET", video["links"]["download"]).json()
    data = requests.get(link["url"], timeout=60).content
    assert hashlib.sha256(data).hexdigest() == link["sha256"]
    return data


def test_database_dump_and_media_restore_into_new_cloud(
    alice: Client, stack: StackAccess, tmp_path_factory: Any
) -> None:
    video = alice.wait(alice.create(**SMALL)["id"])
    assert video["status"] == "succeeded", video["error"]
    file = download(alice, video)
    folder = Path(tmp_path_factory.mktemp("restored"))
    folder.chmod(0o755)  # PostgreSQL does not run as root
    dump = str(folder / "video.dump")
    run_program(stack, "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={dump}")

    with running_cloud(folder / "cloud") as cloud:
        restored = StackAccess(cloud.connection)
        restore = ["--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction"]
        run_program(restored, "pg_restore", *restore, "--dbname=video", dump)
        copy_media(stack.link, restored.link)
        # Grants each function's privileges on the new tables.
        migration = restored.link.client("lambda").invoke(
            FunctionName="VideoGenerator-local-migrate", Payload="{}"
        )
        assert "FunctionError" not in migration, migration["Payload"].read()

        restored_client = Client(restored.link.base_url, alice.key)
        restored_video = restored_client.call("GET", video["links"]["self"]).json()
        assert (restored_video["status"], restored_video["prompt"]) == (
            "succeeded",
            SMALL["prompt"],
        )
        assert download(restored_client, restored_video) == file
        # New videos can be made.
        new_video = restored_client.wait(restored_client.create(**SMALL)["id"])
        assert new_video["status"] == "succeeded", new_video["error"]
