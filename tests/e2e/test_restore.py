"""A dump of the database and a copy of the media, brought into a new cloud (docs/operations.md)."""

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
from tests.e2e.client import Backstage, Client

SMALL = {"prompt": "A lighthouse keeper", "scenes": 1, "seconds": 2, "ratio": "960:960"}


def run(backstage: Backstage, name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the owner of the cloud's database."""
    place = backstage.environment("migrate")
    secret = backstage.link.client("secretsmanager").get_secret_value(
        SecretId=place["DATABASE_SECRET_ARN"]
    )
    login = json.loads(secret["SecretString"])
    where = {
        "PGHOST": place["DATABASE_HOST"],
        "PGPORT": place["DATABASE_PORT"],
        "PGDATABASE": place["DATABASE_NAME"],
        "PGUSER": login["username"],
        "PGPASSWORD": login["password"],
    }
    done = subprocess.run(
        [postgres.program(name), *arguments],
        env={**os.environ, **where},
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
        answer = source.client("s3").get_object(Bucket=buckets[0], Key=item["Key"])
        target.client("s3").put_object(
            Bucket=buckets[1],
            Key=item["Key"],
            Body=answer["Body"].read(),
            ContentType=answer["ContentType"],
        )


def file_of(client: Client, video: dict[str, Any]) -> bytes:
    link = client.call("GET", video["links"]["download"]).json()
    data = requests.get(link["url"], timeout=60).content
    assert hashlib.sha256(data).hexdigest() == link["sha256"]
    return data


def test_dump_and_media_make_a_new_cloud_whole(
    alice: Client, backstage: Backstage, tmp_path_factory: Any
) -> None:
    video = alice.wait(alice.create(**SMALL)["id"])
    assert video["status"] == "succeeded", video["error"]
    file = file_of(alice, video)
    folder = Path(tmp_path_factory.mktemp("restored"))
    folder.chmod(0o755)  # PostgreSQL does not run as root
    dump = str(folder / "video.dump")
    run(backstage, "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={dump}")

    with running_cloud(folder / "cloud") as cloud:
        other = Backstage(cloud.connection)
        restore = ["--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction"]
        run(other, "pg_restore", *restore, "--dbname=video", dump)
        copy_media(backstage.link, other.link)
        # Grants what each function may do on the tables, which are new.
        granted = other.link.client("lambda").invoke(
            FunctionName="VideoGenerator-local-migrate", Payload="{}"
        )
        assert "FunctionError" not in granted, granted["Payload"].read()

        again = Client(other.link.base_url, alice.key)
        found = again.call("GET", video["links"]["self"]).json()
        assert (found["status"], found["prompt"]) == ("succeeded", SMALL["prompt"])
        assert file_of(again, found) == file
        # Work goes on there.
        made = again.wait(again.create(**SMALL)["id"])
        assert made["status"] == "succeeded", made["error"]
