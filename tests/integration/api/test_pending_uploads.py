"""What an owner may have announced and not sent: a number of uploads, and bytes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from common.database import Database, uploads
from common.database.uploads import Upload
from common.domain.errors import TooManyRequests
from common.domain.uploads import MOST_PENDING, MOST_PENDING_BYTES
from common.settings import DatabaseSettings
from tests.support.gateway import Gateway, Reply

GIB = 1024**3
PICTURE = {"media_type": "image/png", "size_bytes": 10}


def announce(gateway: Gateway, user: str = "alice", **upload: object) -> Reply:
    return gateway.call("POST", "/v1/uploads", {**PICTURE, **upload}, user_id=user)


def fill(database: Database, count: int, size_bytes: int, user: str = "alice") -> None:
    with database.transaction() as cursor:
        for number in range(count):
            upload = Upload(f"med_{user}{number}", user, "video", "video/mp4", size_bytes)
            uploads.insert(cursor, upload)


def test_one_upload_too_many_is_refused_until_one_is_aborted(
    gateway: Gateway, database: Database
) -> None:
    fill(database, MOST_PENDING - 1, 10)
    last = announce(gateway)
    assert last.status == 201
    refused = announce(gateway)
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "60"
    assert refused.json()["code"] == "upload.too_many_pending"
    assert "abort" in refused.json()["detail"]
    assert announce(gateway, user="bob").status == 201, "another owner has their own limit"
    assert gateway.call("POST", last.json()["links"]["abort"]).status == 204
    assert announce(gateway).status == 201


def test_bytes_beyond_the_limit_are_refused(gateway: Gateway, database: Database) -> None:
    fill(database, MOST_PENDING_BYTES // GIB, GIB - 1)
    assert announce(gateway, size_bytes=MOST_PENDING_BYTES // GIB).status == 201
    refused = announce(gateway)
    assert refused.status == 413
    assert refused.json()["code"] == "upload.too_many_bytes_pending"


def test_two_at_once_do_not_both_get_the_last_place(migrated: DatabaseSettings) -> None:
    first, second = Database(migrated), Database(migrated)
    fill(first, MOST_PENDING - 1, 10)

    def take(database: Database, name: str) -> bool:
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
        taken = list(pool.map(take, (first, second), ("med_first", "med_second")))
    assert sorted(taken) == [False, True]


@pytest.mark.parametrize("size_bytes", [10, 70 * 1024 * 1024])
def test_nothing_is_stored_of_a_refused_one(
    gateway: Gateway, database: Database, size_bytes: int
) -> None:
    fill(database, MOST_PENDING, 10)
    assert announce(gateway, media_type="video/mp4", size_bytes=size_bytes).status == 429
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS n FROM uploads")
        assert cursor.fetchone() == {"n": MOST_PENDING}
