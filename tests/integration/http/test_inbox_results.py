"""Every file in the inbox gets a result, whatever its content and whatever fails."""

import io
import json
import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from PIL import Image

from common.database import Database
from common.domain.errors import DatabaseUnavailable
from common.storage.inbox_keys import InboxObject
from intake.reception import Intake
from tests.integration.http.owners import mint
from tests.support.fixtures import BUCKET

NUL = "https://e.example/api/proxy_s3_image/a%00b"


@pytest.fixture
def intake(receiver: Intake, rows: Database) -> Intake:
    mint(rows, "evan")
    return receiver


def storage() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])


def upload(name: str, data: bytes, **metadata: str) -> InboxObject:
    """Upload a file to evan's inbox."""
    key = f"inbox/evan/{name}"
    put = storage().put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=metadata)
    return InboxObject(BUCKET, key, put["VersionId"])


def error_of(name: str) -> dict[str, Any]:
    """Return the error result in the outbox."""
    response = storage().get_object(Bucket=BUCKET, Key=f"outbox/evan/{name}.error.json")
    body: dict[str, Any] = json.loads(response["Body"].read())
    return body


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    return out.getvalue()


VIDEO_BODY = {"prompt": "A kite", "scenes": 1, "seconds": 2}


@pytest.mark.parametrize(
    "job",
    [
        {**VIDEO_BODY, "image_url": NUL},
        {**VIDEO_BODY, "image_url": NUL.replace("%00", "%ED%A0%80")},
        {**VIDEO_BODY, "image_url": "https://x\u0000.example/a.png"},
        {**VIDEO_BODY, "image_url": "https://[::1/a.png"},
        {**VIDEO_BODY, "image_url": "https://" + "a" * 64 + ".example/a.png"},
        {**VIDEO_BODY, "metadata": {"a\u0000": "b"}},
        {**VIDEO_BODY, "style": "\ud800"},
        {**VIDEO_BODY, "seed": 10**30},
        {**VIDEO_BODY, "max_cost": "sNaN"},
    ],
)
def test_inbox_job_with_invalid_values_is_rejected_without_retry(
    intake: Intake, job: dict[str, Any]
) -> None:
    assert intake.receive(upload("x.json", json.dumps(job).encode()), last=False) == "refused"
    assert error_of("x.json")["status"] == "refused"
    lines = json.dumps(VIDEO_BODY) + "\n" + json.dumps(job)
    assert intake.receive(upload("x.jsonl", lines.encode()), last=False) == "refused"
    assert all(fault["pointer"].startswith("/2") for fault in error_of("x.jsonl")["errors"])


@pytest.mark.parametrize(
    "text",
    [
        "=?idna?q?xn--a?=",
        "=?undefined?q?a?=",
        "=?\u00e9?q?a?=",
        "=?utf-8?b?!?=",
        "=?utf-8?q?=00?=",
        "=?utf-7?q?+2AA-?=",
        "=?hex?q?zz?=",
        "=?zlib?b?AAAA?=",
        "=?punycode?q?a-\u00ff?=",
    ],
)
def test_inbox_metadata_in_any_encoding_is_parsed_or_rejected(
    intake: Intake, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_file = upload("p.png", png())
    read_version = intake.store.read_version

    def with_prompt(*args: Any, **options: Any) -> Any:
        version = read_version(*args, **options)
        return type(version)(version.data, version.version_id, {"prompt": text}, version.changed_at)

    monkeypatch.setattr(
        type(intake.store), "read_version", lambda _self, *a, **o: with_prompt(*a, **o)
    )
    assert intake.receive(inbox_file, last=False) in ("refused", "started")


@pytest.mark.parametrize("error", [ZeroDivisionError, RecursionError, UnicodeError, KeyError])
def test_inbox_result_of_a_bug_is_written_after_the_last_retry(
    intake: Intake, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise error("secret-canary")

    monkeypatch.setattr("intake.parsing.job", broken)
    inbox_file = upload("broken.json", json.dumps(VIDEO_BODY).encode())
    with pytest.raises(error):
        intake.receive(inbox_file, last=False)
    assert intake.receive(inbox_file, last=True) == "refused"
    error_result = error_of("broken.json")
    assert (error_result["code"], error_result["source"]) == ("internal", inbox_file.key)
    assert "canary" not in json.dumps(error_result)
    assert intake.receive(inbox_file, last=False) == "known"


def test_inbox_result_is_written_without_a_database(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_file = upload("late.json", json.dumps(VIDEO_BODY).encode())
    unavailable = _raising(DatabaseUnavailable("The database cannot be reached."))
    monkeypatch.setattr("common.database.keys.key_of_user", unavailable)
    monkeypatch.setattr("common.database.inbox.insert", unavailable)
    with pytest.raises(DatabaseUnavailable):
        intake.receive(inbox_file, last=True)
    assert error_of("late.json")["code"] == "database.unavailable"


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
