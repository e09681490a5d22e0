"""The contract of media stores: S3, and the in-memory store of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.domain.errors import NotFound
from common.storage import MediaStore
from common.storage.s3 import S3MediaStore
from infra.local.emulator import Emulator
from tests.support.cold_start import start_cold
from tests.support.fixtures import BUCKET
from tests.support.media_store import InMemoryMediaStore

KEY = "ann/vid_1/merged/video.mp4"
MISSING = "ann/vid_1/merged/missing.mp4"


@pytest.fixture(params=["in memory", "S3"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaStore]:
    if request.param == "in memory":
        yield InMemoryMediaStore()
        return
    storage: Emulator = request.getfixturevalue("storage")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", storage.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", storage.secret_access_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    start_cold()
    yield S3MediaStore(BUCKET)
    start_cold()


def test_media_store_returns_stored_bytes(store: MediaStore) -> None:
    store.put(KEY, b"\0first", "video/mp4")
    assert store.get(KEY) == b"\0first"


def test_media_store_replaces_an_object_as_a_whole(store: MediaStore) -> None:
    store.put(KEY, b"a longer first object", "video/mp4")
    store.put(KEY, b"second", "video/mp4")
    assert store.get(KEY) == b"second"


def test_media_store_copies_files_in_and_out(store: MediaStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    source.write_bytes(b"clip" * 1000)
    store.put_file(KEY, source, "video/mp4")
    store.get_file(KEY, target)
    assert target.read_bytes() == source.read_bytes() == store.get(KEY)


def test_media_store_raises_not_found_for_a_missing_object(
    store: MediaStore, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        store.get(MISSING)
    with pytest.raises(NotFound):
        store.get_file(MISSING, tmp_path / "target.mp4")


def test_media_store_deletes_objects_and_ignores_missing_ones(
    store: InMemoryMediaStore | S3MediaStore,
) -> None:
    store.put(KEY, b"clip", "video/mp4")
    store.delete(KEY, MISSING)
    with pytest.raises(NotFound):
        store.get(KEY)


def test_media_store_link_contains_the_key(store: MediaStore) -> None:
    store.put(KEY, b"clip", "video/mp4")
    assert KEY in store.link(KEY, seconds=60)
