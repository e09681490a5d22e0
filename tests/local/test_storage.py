"""Uploading to and downloading from S3, with a checksum for each part."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.aws import clients
from common.storage.s3 import S3MediaStore
from infra.local.connection import Connection

BUCKET = "media-in-parts"
PART = 16 * 1024 * 1024


@pytest.fixture
def store(stock: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3MediaStore]:
    stock.client("s3").create_bucket(Bucket=BUCKET)
    for name, value in {
        "AWS_ENDPOINT_URL": stock.endpoint,
        "AWS_ACCESS_KEY_ID": stock.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stock.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    caches = (clients.s3, clients._client, clients._session)
    for cache in caches:
        cache.cache_clear()
    yield S3MediaStore(BUCKET)
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("size", [1000, 2 * PART + 1000], ids=["one request", "three parts"])
def test_multipart_upload_sends_sha256_of_every_part(
    size: int, store: S3MediaStore, tmp_path: Path
) -> None:
    data = hashlib.shake_128(b"clip").digest(size)
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    checksums: list[str] = []

    def record(request: Any, **_: Any) -> None:
        if request.method == "PUT":
            sums = [request.headers.get("x-amz-checksum-sha256")]
            sums.append(request.headers.get("x-amz-trailer"))
            checksums.append(" ".join(_text(value) for value in sums if value))

    clients.s3().meta.events.register("before-send.s3", record)
    store.put_file("u/v/clip.mp4", path, "video/mp4")
    parts = [data[start : start + PART] for start in range(0, size, PART)]
    digests = [base64.b64encode(hashlib.sha256(part).digest()).decode() for part in parts]
    assert sorted(checksums) == sorted(digests)
    downloaded = tmp_path / "back.mp4"
    store.get_file("u/v/clip.mp4", downloaded)
    assert downloaded.read_bytes() == data


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
