"""`make drop`: upload a file to the inbox of the local cloud and wait for the result."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import ClientError

from infra.local.connection import Connection
from infra.local.errors import LocalCloudError

USER = "demo"  # the user of the key that `make up` mints
TIMEOUT_SECONDS = 30 * 60.0
# Options of an image, sent as object metadata; a JSON file contains its options.
_OPTIONS = ("PROMPT", "SCENES", "SECONDS", "RATIO", "STYLE", "MOOD")
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def run(link: Connection, environment: Mapping[str, str]) -> int:
    """Upload FILE, wait for the result and print it; return 0 if it is not an error."""
    path = Path(environment.get("FILE", "").strip())
    if not path.is_file():
        raise LocalCloudError(f"FILE: no such file: {path}. Example: make drop FILE=kite.json")
    key = f"inbox/{USER}/{path.name}"
    options = {name: value.strip() for name in _OPTIONS if (value := environment.get(name, ""))}
    store, bucket = link.client("s3"), link.outputs["MediaBucketName"]
    store.put_object(
        Bucket=bucket,
        Key=key,
        Body=path.read_bytes(),
        Metadata=options if path.suffix.lower() in _IMAGE_SUFFIXES else {},
    )
    print(f"Uploaded to s3://{bucket}/{key}. Waiting for the result ...", flush=True)
    since, deadline = time.time(), time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for kind in ("result", "error"):
            result_key = f"outbox/{USER}/{path.name}.{kind}.json"
            try:
                result = store.get_object(Bucket=bucket, Key=result_key)
            except ClientError:
                continue
            if result["LastModified"].timestamp() >= since - 1:
                print(
                    f"s3://{bucket}/{result_key}\n{json.dumps(json.load(result['Body']), indent=2)}"
                )
                return 0 if kind == "result" else 1
        time.sleep(1)
    raise LocalCloudError(f"There is no result for {key} after {TIMEOUT_SECONDS / 60:.0f} minutes.")
