"""Pairs of image and JSON job in the inbox, with file names as cameras and Windows write them."""

import io
import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from common.database import Database
from common.storage.inbox_keys import InboxObject
from intake.reception import Intake
from tests.integration.http.owners import mint
from tests.support.fixtures import BUCKET

VIDEO_BODY = {"prompt": "A kite", "scenes": 1, "seconds": 2}
Upload = Callable[..., InboxObject]


@pytest.fixture
def intake(receiver: Intake, rows: Database) -> Intake:
    mint(rows, "pia")
    return receiver


@pytest.fixture
def upload(request: pytest.FixtureRequest) -> Upload:
    """Return a function that uploads files to a folder of this test in pia's inbox."""
    folder = f"{abs(hash(request.node.name))}"

    def put(name: str, data: bytes | dict[str, Any]) -> InboxObject:
        key = f"inbox/pia/{folder}/{name}"
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        response = storage().put_object(Bucket=BUCKET, Key=key, Body=body)
        return InboxObject(BUCKET, key, response["VersionId"])

    return put


def storage() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])


def result_of(inbox_file: InboxObject, kind: str) -> dict[str, Any] | None:
    key = f"outbox/{inbox_file.key.removeprefix('inbox/')}.{kind}.json"
    try:
        body: dict[str, Any] = json.loads(
            storage().get_object(Bucket=BUCKET, Key=key)["Body"].read()
        )
    except ClientError:
        return None
    return body


def reference_key_of(rows: Database, inbox_file: InboxObject) -> str | None:
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT s.reference_key FROM inbox_jobs j JOIN video_sessions s USING (session_id) "
            "WHERE j.object_id = %s",
            (inbox_file.object_id,),
        )
        (row,) = cursor.fetchall()
    key: str | None = row["reference_key"]
    return key


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 60)).save(out, "PNG")
    return out.getvalue()


PAIRS = [
    ("a.Jpg", "a.json"),
    ("A.JPG", "A.JSON"),
    ("a.jpeg", "a.Json"),
    ("a.PnG", "a.json"),
    ("a b.c.WEBP", "a b.c.json"),
    ("ä.jpe", "ä.json"),
    ("a.AVIF", "a.json"),
]


@pytest.mark.parametrize("first", ["image", "json"])
@pytest.mark.parametrize(("image_name", "job_name"), PAIRS)
def test_inbox_image_and_json_pair_with_any_extension(
    image_name: str, job_name: str, first: str, intake: Intake, rows: Database, upload: Upload
) -> None:
    image_file, job_file = upload(image_name, png()), upload(job_name, VIDEO_BODY)
    order = (image_file, job_file) if first == "image" else (job_file, image_file)
    outcomes = {inbox_file.key: intake.receive(inbox_file, last=False) for inbox_file in order}
    assert outcomes == {image_file.key: "belongs to the JSON beside it", job_file.key: "started"}
    assert result_of(image_file, "error") is None
    assert reference_key_of(rows, job_file) is not None


def test_inbox_files_with_different_names_do_not_pair(
    intake: Intake, rows: Database, upload: Upload
) -> None:
    for name in ("kite.final.png", "kite2.png", "Kite.png", "kite/b.png", "kitepng"):
        upload(name, png())
    job_file = upload("kite.json", VIDEO_BODY)
    assert intake.receive(job_file, last=False) == "started"
    assert reference_key_of(rows, job_file) is None


@pytest.mark.parametrize("name", ["a.heic", "a.HEIC", "a.heif", "a.tif", "a.gif", "a.dng", "a.PDF"])
def test_inbox_job_is_rejected_with_an_unsupported_image(
    name: str, intake: Intake, upload: Upload
) -> None:
    image_file, job_file = upload(name, b"\0\0\0\x18ftypheic"), upload("a.json", VIDEO_BODY)
    for inbox_file in (job_file, image_file):
        assert intake.receive(inbox_file, last=False) == "refused"
    error = result_of(job_file, "error")
    assert error is not None
    assert (error["code"], name in error["detail"]) == ("inbox.picture_beside", True)


def test_inbox_job_with_two_images_is_rejected(intake: Intake, upload: Upload) -> None:
    upload("a.png", png()), upload("a.JPG", png())
    job_file = upload("a.json", VIDEO_BODY)
    assert intake.receive(job_file, last=False) == "refused"
    error = result_of(job_file, "error")
    assert error is not None
    assert "a.JPG, a.png" in error["detail"]


def test_inbox_image_that_its_job_does_not_use_gets_an_error(
    intake: Intake, upload: Upload
) -> None:
    import base64

    image_file = upload("a.png", png())
    job_file = upload("a.json", {**VIDEO_BODY, "image": base64.b64encode(png()).decode()})
    assert intake.receive(job_file, last=False) == "started"
    assert intake.receive(image_file, last=False) == "refused"
    error = result_of(image_file, "error")
    assert error is not None
    assert "names another image" in error["detail"]


def test_inbox_correction_removes_the_old_error(intake: Intake, upload: Upload) -> None:
    invalid = upload("fix.json", b"{")
    assert intake.receive(invalid, last=False) == "refused"
    assert result_of(invalid, "error") is not None
    corrected = upload("fix.json", VIDEO_BODY)
    assert intake.receive(corrected, last=False) == "started"
    assert result_of(corrected, "error") is None  # removed at once, while the run is in progress


def test_inbox_result_of_an_older_version_keeps_the_newer_error(
    intake: Intake, rows: Database, upload: Upload
) -> None:
    from common.application import inbox_results

    valid = upload("fix.json", VIDEO_BODY)
    assert intake.receive(valid, last=False) == "started"
    invalid = upload("fix.json", b"{")
    assert intake.receive(invalid, last=False) == "refused"
    with rows.transaction() as cursor:
        cursor.execute(
            "UPDATE runs SET status = 'succeeded', ended_at = now() WHERE run_id = "
            "(SELECT run_id FROM inbox_jobs WHERE object_id = %s)",
            (valid.object_id,),
        )
    inbox_results.write_result(rows, intake.store, valid.object_id)
    success, error = result_of(valid, "result"), result_of(invalid, "error")
    assert success is not None
    assert success["version_id"] == valid.version_id
    assert error is not None
    assert error["version_id"] == invalid.version_id
