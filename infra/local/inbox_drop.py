"""Dropping a file into the inbox of the local cloud, and waiting for the answer in the outbox."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import ClientError

from infra.local.connection import Connection
from infra.local.errors import LocalCloudError

USER = "demo"  # whom `make up` mints its key for
TIMEOUT_SECONDS = 30 * 60.0
# Options that a picture carries as metadata; a JSON has them in itself.
_OPTIONS = ("PROMPT", "SCENES", "SECONDS", "RATIO", "STYLE", "MOOD")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def run(link: Connection, environment: Mapping[str, str]) -> int:
    """Drop FILE and print the answer; 0 when it is a result."""
    path = Path(environment.get("FILE", "").strip())
    if not path.is_file():
        raise LocalCloudError(f"FILE: there is no file {path}. Use make drop FILE=kite.json.")
    key = f"inbox/{USER}/{path.name}"
    options = {name: value.strip() for name in _OPTIONS if (value := environment.get(name, ""))}
    store, bucket = link.client("s3"), link.outputs["MediaBucketName"]
    store.put_object(
        Bucket=bucket,
        Key=key,
        Body=path.read_bytes(),
        Metadata=options if path.suffix.lower() in _PICTURES else {},
    )
    print(f"Dropped as s3://{bucket}/{key}; waiting for the answer ...", flush=True)
    since, deadline = time.time(), time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for kind in ("result", "error"):
            answer = f"outbox/{USER}/{path.name}.{kind}.json"
            try:
                found = store.get_object(Bucket=bucket, Key=answer)
            except ClientError:
                continue
            if found["LastModified"].timestamp() >= since - 1:
                print(f"s3://{bucket}/{answer}\n{json.dumps(json.load(found['Body']), indent=2)}")
                return 0 if kind == "result" else 1
        time.sleep(1)
    raise LocalCloudError(f"{key} was not answered within {TIMEOUT_SECONDS / 60:.0f} minutes.")
