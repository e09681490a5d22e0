"""Limits of a user's pending uploads: their number and their total size."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from common.database import Database, uploads
from common.database.uploads import Upload
from common.domain.errors import TooManyRequests
from common.domain.uploads import MOST_PENDING, MOST_PENDING_BYTES
from common.settings import DatabaseSettings
from tests.support.gateway import Gateway, Reply

GIB = 1024**3
IMAGE = {"media_type": "image/png", "size_bytes": 10}


def create_upload(gateway: Gateway, user: str = "alice", **upload: object) -> Reply:
    return gateway.call("POST", "/v1/uploads", {**IMAGE, **upload}, user_id=user)


def insert_pending(database: Database, count: int, size_bytes: int, user: str = "alice") -> None:
    with database.transaction() as cursor:
        for number in range(count):
            upload = Upload(f"med_{user}{number}", user, "video", "video/mp4", size_bytes)
            uploads.insert(cursor, upload)


def test_pending_upload_limit_is_freed_by_an_abort(gateway: Gateway, database: Database) -> None:
    insert_pending(database, MOST_PENDING - 1, 10)
    last = create_upload(gateway)
    assert last.status == 201
    rejected = create_upload(gateway)
    assert rejected.status == 429
    assert rejected.headers["Retry-After"] == "60"
    assert rejected.json()["code"] == "upload.too_many_pending"
    assert "abort" in rejected.json()["detail"]
    assert create_upload(gateway, user="bob").status == 201, "another user has a separate limit"
    assert gateway.call("POST", last.json()["links"]["abort"]).status == 204
    assert create_upload(gateway).status == 201


def test_pending_upload_bytes_are_limited(gateway: Gateway, database: Database) -> None:
    insert_pending(database, MOST_PENDING_BYTES // GIB, GIB - 1)
    assert create_upload(gateway, size_bytes=MOST_PENDING_BYTES // GIB).status == 201
    rejected = create_upload(gateway)
    assert rejected.status == 413
    assert rejected.json()["code"] == "upload.too_many_bytes_pending"


def test_pending_upload_limit_has_no_race_condition(migrated: DatabaseSettings) -> None:
    first, second = Database(migrated), Database(migrated)
    insert_pending(first, MOST_PENDING - 1, 10)

    def create_upload(database: Database, name: str) -> bool:
        try:
            with database.transaction() as cursor:
                uploads.check_pending(cursor, "alice", 10)
                uploads.insert(cursor, Upload(name, "alice", "image", "image/png", 10))
        except TooManyRequests:
            return False
        finally:
            database.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(create_upload, (first, second), ("med_first", "med_second")))
    assert sorted(results) == [False, True]


@pytest.mark.parametrize("size_bytes", [10, 70 * 1024 * 1024])
def test_rejected_upload_is_not_stored(
    gateway: Gateway, database: Database, size_bytes: int
) -> None:
    insert_pending(database, MOST_PENDING, 10)
    assert create_upload(gateway, media_type="video/mp4", size_bytes=size_bytes).status == 429
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS n FROM uploads")
        assert cursor.fetchone() == {"n": MOST_PENDING}
