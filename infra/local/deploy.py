"""Deployment of a cloud assembly to the emulator with boto3.

Like `cdk deploy`, it uploads assets to the bootstrap bucket and creates or updates the stack, but
without the CDK CLI and the bootstrap stack. Asset names contain their hash and the bucket persists,
so only new assets are packed and uploaded.
"""

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from botocore.exceptions import ClientError

from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.launcher_settings import ACCOUNT, REGION

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
TIMEOUT_SECONDS = 600.0

Progress = Callable[[int, int], None]  # resources done, total resources


@dataclass(frozen=True)
class Assembly:
    """The stack of a cloud assembly directory."""

    directory: Path
    stack: str
    template: Path
    assets: Path

    @classmethod
    def load(cls, directory: Path) -> "Assembly":
        """Load the stack of `directory`; raises LocalCloudError unless there is exactly one."""
        manifest = json.loads((directory / "manifest.json").read_text())
        stacks = {
            name: artifact
            for name, artifact in manifest["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        }
        if len(stacks) != 1:
            raise LocalCloudError(f"{directory} has {len(stacks)} stacks; expected exactly one.")
        [(name, artifact)] = stacks.items()
        return cls(
            directory,
            artifact["properties"].get("stackName", name),
            directory / artifact["properties"]["templateFile"],
            directory / f"{name}.assets.json",
        )


@dataclass(frozen=True)
class _Asset:
    path: Path
    packaging: str  # "file" or "zip"
    bucket: str
    key: str


def deploy(
    assembly: Assembly, connection: Connection, progress: Progress = lambda done, total: None
) -> dict[str, str]:
    """Create or update the stack and return its outputs.

    Raises LocalCloudError with the failed resources and their reasons.
    """
    template_url = _upload_assets(assembly, connection)
    cloudformation = connection.client("cloudformation")
    total = len(json.loads(assembly.template.read_text())["Resources"])
    request = {
        "StackName": assembly.stack,
        "TemplateURL": template_url,
        "Capabilities": CAPABILITIES,
    }
    started = time.time()
    if _status(cloudformation, assembly.stack) is None:
        # A rollback would delete the media bucket.
        cloudformation.create_stack(**request, OnFailure="DO_NOTHING")
    else:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise LocalCloudError(f"The stack could not be updated: {error}") from error
    status = _wait(cloudformation, assembly.stack, total, progress)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise LocalCloudError(_failure(cloudformation, assembly, status, started))
    _drop_old_assets(assembly, connection)
    stack = cloudformation.describe_stacks(StackName=assembly.stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _upload_assets(assembly: Assembly, connection: Connection) -> str:
    """Upload new assets and return the template's URL."""
    s3 = connection.client("s3")
    connection.client("ssm").put_parameter(
        Name=BOOTSTRAP_PARAMETER, Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    template_url = ""
    for asset in _assets(assembly):
        if not _exists(s3, asset.bucket, asset.key):
            with _packed(asset.path, asset.packaging) as body:
                s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=body)
        if asset.path == assembly.template:
            template_url = f"{connection.endpoint}/{asset.bucket}/{asset.key}"
    if not template_url:
        raise LocalCloudError(f"{assembly.assets} does not list {assembly.template.name}.")
    return template_url


def _drop_old_assets(assembly: Assembly, connection: Connection) -> None:
    """Delete assets of earlier deployments, because layers are large."""
    s3 = connection.client("s3")
    referenced = {(asset.bucket, asset.key) for asset in _assets(assembly)}
    for bucket in {bucket for bucket, _ in referenced}:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                if (bucket, item["Key"]) not in referenced:
                    s3.delete_object(Bucket=bucket, Key=item["Key"])


def _assets(assembly: Assembly) -> list[_Asset]:
    assets = []
    for asset in json.loads(assembly.assets.read_text())["files"].values():
        source, destination = asset["source"], next(iter(asset["destinations"].values()))
        assets.append(
            _Asset(
                assembly.directory / source["path"],
                source["packaging"],
                _resolve(destination["bucketName"]),
                destination["objectKey"],
            )
        )
    return assets


def _resolve(name: str) -> str:
    for placeholder, value in (("AccountId", ACCOUNT), ("Region", REGION), ("Partition", "aws")):
        name = name.replace(f"${{AWS::{placeholder}}}", value)
    return name


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        try:
            s3.create_bucket(Bucket=bucket)
        except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            return False
        return False
    return True


@contextmanager
def _packed(path: Path, packaging: str) -> Iterator[IO[bytes]]:
    """Open the asset: a file unchanged, a directory as a zip that keeps executable bits."""
    if packaging == "file":
        with path.open("rb") as content:
            yield content
        return
    with TemporaryFile() as archive:
        # Not compressed: over loopback, time matters more than size.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    packed.write(file, file.relative_to(path))
        archive.seek(0)
        yield archive


def _status(cloudformation: Any, stack: str) -> str | None:
    try:
        status: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None
    return status


def _wait(cloudformation: Any, stack: str, total: int, progress: Progress) -> str:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        status = _status(cloudformation, stack) or "DELETED"
        if not status.endswith("IN_PROGRESS"):
            progress(total, total)
            return status
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        done = sum(item["ResourceStatus"].endswith("_COMPLETE") for item in resources)
        progress(min(done, total), total)
        time.sleep(0.25)
    raise LocalCloudError(f"The deployment did not finish within {TIMEOUT_SECONDS:.0f} s.")


def _failure(cloudformation: Any, assembly: Assembly, status: str, started: float) -> str:
    resources = json.loads(assembly.template.read_text())["Resources"]
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=assembly.stack)
    lines = [f"The stack {assembly.stack} could not be deployed ({status})."]
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        recent = event["Timestamp"].timestamp() >= started - 1
        if not event["ResourceStatus"].endswith("FAILED") or not recent or "cancelled" in reason:
            continue
        if event["LogicalResourceId"] == assembly.stack:
            continue
        resource = resources.get(event["LogicalResourceId"], {})
        path = resource.get("Metadata", {}).get("aws:cdk:path", event["LogicalResourceId"])
        lines.append(f"  {path} ({event['ResourceType']}): {reason}")
    if len(lines) == 1:
        stack = cloudformation.describe_stacks(StackName=assembly.stack)["Stacks"][0]
        lines.append(f"  {stack.get('StackStatusReason', 'no reason was given')}")
    lines.append("Nothing was deleted. Media and database are unchanged.")
    return "\n".join(lines)
