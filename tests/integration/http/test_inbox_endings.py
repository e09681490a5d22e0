"""Every file in the inbox is answered, whatever it holds and whatever goes wrong."""

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
from tests.integration.http.conftest import BUCKET
from tests.integration.http.owners import mint

NUL = "https://e.example/api/proxy_s3_image/a%00b"


@pytest.fixture
def intake(receiver: Intake, rows: Database) -> Intake:
    mint(rows, "evan")
    return receiver


def storage() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])


def drop(name: str, data: bytes, **metadata: str) -> InboxObject:
    """Put an object into the inbox of evan."""
    key = f"inbox/evan/{name}"
    put = storage().put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=metadata)
    return InboxObject(BUCKET, key, put["VersionId"])


def error_of(name: str) -> dict[str, Any]:
    """Return the answer in the outbox."""
    answer = storage().get_object(Bucket=BUCKET, Key=f"outbox/evan/{name}.error.json")
    body: dict[str, Any] = json.loads(answer["Body"].read())
    return body


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    return out.getvalue()


WISH = {"prompt": "A kite", "scenes": 1, "seconds": 2}


@pytest.mark.parametrize(
    "wish",
    [
        {**WISH, "image_url": NUL},
        {**WISH, "image_url": NUL.replace("%00", "%ED%A0%80")},
        {**WISH, "image_url": "https://x\u0000.example/a.png"},
        {**WISH, "image_url": "https://[::1/a.png"},
        {**WISH, "image_url": "https://" + "a" * 64 + ".example/a.png"},
        {**WISH, "metadata": {"a\u0000": "b"}},
        {**WISH, "style": "\ud800"},
        {**WISH, "seed": 10**30},
        {**WISH, "max_cost": "sNaN"},
    ],
)
def test_a_job_that_no_column_holds_is_refused_the_first_time(
    intake: Intake, wish: dict[str, Any]
) -> None:
    assert intake.receive(drop("x.json", json.dumps(wish).encode()), last=False) == "refused"
    assert error_of("x.json")["status"] == "refused"
    lines = json.dumps(WISH) + "\n" + json.dumps(wish)
    assert intake.receive(drop("x.jsonl", lines.encode()), last=False) == "refused"
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
def test_metadata_in_any_encoding_is_read_or_refused(
    intake: Intake, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = drop("p.png", png())
    take = intake.store.read_version

    def with_prompt(*args: Any, **options: Any) -> Any:
        found = take(*args, **options)
        return type(found)(found.data, found.version_id, {"prompt": text}, found.changed_at)

    monkeypatch.setattr(type(intake.store), "take", lambda _self, *a, **o: with_prompt(*a, **o))
    assert intake.receive(dropped, last=False) in ("refused", "started")


@pytest.mark.parametrize("error", [ZeroDivisionError, RecursionError, UnicodeError, KeyError])
def test_a_mistake_of_the_program_is_answered_the_last_time(
    intake: Intake, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise error("secret-canary")

    monkeypatch.setattr("intake.parsing.job", broken)
    dropped = drop("broken.json", json.dumps(WISH).encode())
    with pytest.raises(error):
        intake.receive(dropped, last=False)
    assert intake.receive(dropped, last=True) == "refused"
    answer = error_of("broken.json")
    assert (answer["code"], answer["source"]) == ("internal", dropped.key)
    assert "canary" not in json.dumps(answer)
    assert intake.receive(dropped, last=False) == "known"


def test_without_a_database_it_is_answered_and_laid_aside(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = drop("late.json", json.dumps(WISH).encode())
    gone = _raising(DatabaseUnavailable("The database cannot be reached."))
    monkeypatch.setattr("common.database.keys.owner", gone)
    monkeypatch.setattr("common.database.inbox.insert", gone)
    with pytest.raises(DatabaseUnavailable):
        intake.receive(dropped, last=True)
    assert error_of("late.json")["code"] == "database.unavailable"


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
