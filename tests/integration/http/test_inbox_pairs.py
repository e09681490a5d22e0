"""Files in the inbox that belong together by their names, as cameras and Windows write them."""

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
from tests.integration.http.conftest import BUCKET
from tests.integration.http.owners import mint

WISH = {"prompt": "A kite", "scenes": 1, "seconds": 2}
Drop = Callable[..., InboxObject]


@pytest.fixture
def intake(receiver: Intake, rows: Database) -> Intake:
    mint(rows, "pia")
    return receiver


@pytest.fixture
def drop(request: pytest.FixtureRequest) -> Drop:
    """Put objects into a folder of this test in pia's inbox."""
    folder = f"{abs(hash(request.node.name))}"

    def put(name: str, data: bytes | dict[str, Any]) -> InboxObject:
        key = f"inbox/pia/{folder}/{name}"
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        answer = storage().put_object(Bucket=BUCKET, Key=key, Body=body)
        return InboxObject(BUCKET, key, answer["VersionId"])

    return put


def storage() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])


def answer(dropped: InboxObject, kind: str) -> dict[str, Any] | None:
    key = f"outbox/{dropped.key.removeprefix('inbox/')}.{kind}.json"
    try:
        body: dict[str, Any] = json.loads(
            storage().get_object(Bucket=BUCKET, Key=key)["Body"].read()
        )
    except ClientError:
        return None
    return body


def reference(rows: Database, dropped: InboxObject) -> str | None:
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT s.reference_key FROM inbox_jobs j JOIN video_sessions s USING (session_id) "
            "WHERE j.object_id = %s",
            (dropped.object_id,),
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


@pytest.mark.parametrize("first", ["picture", "json"])
@pytest.mark.parametrize(("picture", "job"), PAIRS)
def test_a_picture_and_the_json_beside_it_are_one_job_however_their_names_end(
    picture: str, job: str, first: str, intake: Intake, rows: Database, drop: Drop
) -> None:
    image, wish = drop(picture, png()), drop(job, WISH)
    order = (image, wish) if first == "picture" else (wish, image)
    done = {one.key: intake.receive(one, last=False) for one in order}
    assert done == {image.key: "belongs to the JSON beside it", wish.key: "started"}
    assert answer(image, "error") is None
    assert reference(rows, wish) is not None


def test_only_the_same_name_belongs_together(intake: Intake, rows: Database, drop: Drop) -> None:
    for name in ("kite.final.png", "kite2.png", "Kite.png", "kite/b.png", "kitepng"):
        drop(name, png())
    wish = drop("kite.json", WISH)
    assert intake.receive(wish, last=False) == "started"
    assert reference(rows, wish) is None


@pytest.mark.parametrize("name", ["a.heic", "a.HEIC", "a.heif", "a.tif", "a.gif", "a.dng", "a.PDF"])
def test_a_job_is_not_made_without_the_picture_that_cannot_be_read(
    name: str, intake: Intake, drop: Drop
) -> None:
    other, wish = drop(name, b"\0\0\0\x18ftypheic"), drop("a.json", WISH)
    for dropped in (wish, other):
        assert intake.receive(dropped, last=False) == "refused"
    refused = answer(wish, "error")
    assert refused is not None
    assert (refused["code"], name in refused["detail"]) == ("inbox.picture_beside", True)


def test_two_pictures_beside_a_job_are_not_chosen_from(intake: Intake, drop: Drop) -> None:
    drop("a.png", png()), drop("a.JPG", png())
    wish = drop("a.json", WISH)
    assert intake.receive(wish, last=False) == "refused"
    refused = answer(wish, "error")
    assert refused is not None
    assert "a.JPG, a.png" in refused["detail"]


def test_a_picture_that_its_job_does_not_use_is_told_so(intake: Intake, drop: Drop) -> None:
    import base64

    image = drop("a.png", png())
    wish = drop("a.json", {**WISH, "image": base64.b64encode(png()).decode()})
    assert intake.receive(wish, last=False) == "started"
    assert intake.receive(image, last=False) == "refused"
    refused = answer(image, "error")
    assert refused is not None
    assert "names another picture" in refused["detail"]


def test_a_corrected_file_loses_its_old_error(intake: Intake, drop: Drop) -> None:
    bad = drop("fix.json", b"{")
    assert intake.receive(bad, last=False) == "refused"
    assert answer(bad, "error") is not None
    good = drop("fix.json", WISH)
    assert intake.receive(good, last=False) == "started"
    assert answer(good, "error") is None  # at once, while the video is being made


def test_an_older_version_takes_no_newer_answer_away(
    intake: Intake, rows: Database, drop: Drop
) -> None:
    from common.application import inbox_results

    good = drop("fix.json", WISH)
    assert intake.receive(good, last=False) == "started"
    bad = drop("fix.json", b"{")
    assert intake.receive(bad, last=False) == "refused"
    with rows.transaction() as cursor:
        cursor.execute(
            "UPDATE runs SET status = 'succeeded', ended_at = now() WHERE run_id = "
            "(SELECT run_id FROM inbox_jobs WHERE object_id = %s)",
            (good.object_id,),
        )
    inbox_results.write_result(rows, intake.store, good.object_id)
    ended, refused = answer(good, "result"), answer(bad, "error")
    assert ended is not None
    assert ended["version_id"] == good.version_id
    assert refused is not None
    assert refused["version_id"] == bad.version_id
