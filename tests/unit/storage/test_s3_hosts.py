"""Presigned links, forms and part URLs use the regional host of the bucket."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from common.aws import clients
from common.storage.s3 import S3MediaStore

_BUCKET = "media"
# Launched before and after March 2019, when S3 stopped routing the global host to new regions.
_REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "me-central-1",
    "il-central-1",
    "ca-west-1",
    "af-south-1",
)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3MediaStore]:
    """A media store whose S3 client is created in the test, without a custom endpoint."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    caches = (clients.s3, clients._session)
    for cache in caches:
        cache.cache_clear()
    yield S3MediaStore(_BUCKET)
    for cache in caches:
        cache.cache_clear()


def hosts(store: S3MediaStore) -> set[str | None]:
    urls = [
        store.link("alice/k", seconds=60),
        store.link("alice/k", seconds=60, filename="k.mp4"),
        store.form("alice/k", "image/png", 10, seconds=60).url,
        *store.part_links("alice/k", "upload", [5, 3], seconds=60),
    ]
    return {urlsplit(url).hostname for url in urls}


@pytest.mark.parametrize("region", _REGIONS)
def test_presigned_urls_use_the_regional_host(
    store: S3MediaStore, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert hosts(store) == {f"{_BUCKET}.s3.{region}.amazonaws.com"}


def test_presigned_urls_use_a_custom_endpoint(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert hosts(store) == {"127.0.0.1"}
    assert urlsplit(store.link("alice/k", seconds=60)).path == f"/{_BUCKET}/alice/k"
