"""The library of media: ids, searching, paging, deleting, and links that die at once."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.database import Database, media, scenes, versions, videos
from common.database.media import Media, Search
from common.database.scenes import StepKind
from common.database.videos import FinalVideo
from common.domain import ids
from common.domain.errors import Conflict, NotFound
from tests.support.rows import admit, tell

EVERYTHING = Search()


def finished(database: Database, **changes: str) -> str:
    """A video of three scenes with pictures, clips and a cut."""
    video_id, _ = admit(database, **changes)
    tell(database, video_id)
    with database.transaction() as cursor:
        for n in (1, 2, 3):
            key = f"{changes.get('user_id', 'alice')}/{video_id}"
            scenes.finish_image(
                cursor, video_id, n, 1, key=f"{key}/{n}.png", usd=Decimal(0), size=(1280, 720)
            )
            # As its provider made it, which is not quite as it was asked for.
            scenes.finish_clip(
                cursor,
                video_id,
                n,
                1,
                key=f"{key}/{n}.mp4",
                frames=120,
                usd=Decimal(0),
                size=(1168, 864),
                seconds=5.0417,
            )
        cut = FinalVideo(
            1,
            f"{key}/f.mp4",
            f"{key}/f.jpg",
            3,
            "15.000",
            360,
            4711,
            "0" * 64,
            files=[
                {"key": f"{key}/f.mp4", "width": 1920, "height": 1080},
                {"key": f"{key}/f.jpg", "width": 640, "height": 360},
                {"key": f"{key}/f.srt", "width": None, "height": None},
            ],
        )
        videos.insert_final(cursor, video_id, cut)
    return video_id


def found(database: Database, search: Search = EVERYTHING, **page: object) -> list[Media]:
    wish = {"user_id": "alice", "limit": 100, "before": None, **page}
    with database.transaction() as cursor:
        return media.page(cursor, wish.pop("user_id"), search, **wish)  # type: ignore[arg-type]  # one of each


def test_everything_of_a_video_is_a_media_object_with_an_id_of_its_own(database: Database) -> None:
    video_id = finished(database)
    shown = found(database)
    assert [item.kind for item in shown].count("image") == 3
    assert [item.kind for item in shown].count("clip") == 3
    assert [item.kind for item in shown].count("video") == 1
    assert len({item.media_id for item in shown}) == 7
    assert all(re.fullmatch(r"med_[0-9A-Z]{26}", item.media_id) for item in shown)
    assert {item.video_id for item in shown} == {video_id}
    (cut,) = (item for item in shown if item.kind == "video")
    assert (cut.size_bytes, cut.seconds, cut.name) == (4711, Decimal(15), "A boat")
    assert (cut.width, cut.height) == (1920, 1080)
    clip = next(item for item in shown if item.kind == "clip")
    assert (clip.width, clip.height, clip.seconds) == (1168, 864, Decimal("5.042"))
    picture = next(item for item in shown if item.kind == "image")
    assert (picture.width, picture.height, picture.seconds) == (1280, 720, None)


def test_ids_of_the_database_and_of_the_code_have_one_form(database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT new_id('med') AS id FROM generate_series(1, 500)")
        made = [row["id"] for row in cursor.fetchall()]
    before, after = ids.new("med"), ids.new("med")
    assert len(set(made)) == 500
    assert made == sorted(made)
    for identifier in made:
        assert ids.from_bytes("med", ids.to_bytes(identifier)) == identifier
    # The same clock in the same place: those of the database lie beside those of the code.
    assert before[:10] == made[0][:10] == after[:10]


def test_an_unfinished_picture_is_not_shown(database: Database) -> None:
    video_id, _ = admit(database)
    tell(database, video_id)
    assert found(database) == []
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key="alice/v/1.png", usd=Decimal(0))
    assert [item.key for item in found(database)] == ["alice/v/1.png"]


def test_media_are_found_by_kind_video_time_and_text(database: Database) -> None:
    one, two = finished(database), finished(database)
    assert len(found(database)) == 14
    assert {item.kind for item in found(database, Search(kind="clip"))} == {"clip"}
    assert {item.video_id for item in found(database, Search(video_id=one))} == {one}
    assert len(found(database, Search(text="SCENE 2"))) == 4
    assert found(database, Search(text="100%")) == []
    assert found(database, Search(text="_cene")) == []
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE video_frames SET created_at = now() - interval '2 days' WHERE session_id = %s",
            (two,),
        )
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert len(found(database, Search(until=yesterday))) == 3
    assert len(found(database, Search(since=yesterday))) == 11


def test_pages_show_everything_once_newest_first(database: Database) -> None:
    for _ in range(3):
        finished(database)
    everything, paged, before = found(database), [], None
    while page := found(database, limit=4, before=before):
        paged += page
        before = page[-1].media_id
    assert paged == everything
    assert [item.media_id for item in paged] == sorted(
        (item.media_id for item in paged), reverse=True
    )


def test_nobody_sees_what_is_not_theirs(database: Database) -> None:
    finished(database)
    (item, *_) = found(database)
    assert found(database, user_id="bob") == []
    for look in (media.get, media.by_key):
        name = item.media_id if look is media.get else item.key
        with database.transaction() as cursor:
            assert look(cursor, str(name), "alice") == item
            with pytest.raises(NotFound):
                look(cursor, str(name), "bob")


def test_raising_the_epoch_kills_what_was_given_out_before(database: Database) -> None:
    finished(database)
    finished(database, user_id="bob")
    mine, theirs = found(database)[0], found(database, user_id="bob")[0]
    with database.transaction() as cursor:
        assert media.epoch(cursor, "alice") == 0
        assert media.by_epoch(cursor, mine.media_id, 0) == mine
        media.raise_epoch(cursor, "alice")
        media.raise_epoch(cursor, "alice")
        assert media.epoch(cursor, "alice") == 2
        for old in (0, 1, 3):
            with pytest.raises(NotFound):
                media.by_epoch(cursor, mine.media_id, old)
        assert media.by_epoch(cursor, mine.media_id, 2) == mine
        assert media.by_epoch(cursor, theirs.media_id, 0) == theirs


@pytest.mark.parametrize(("kind", "of"), [("image", "frame"), ("clip", "clip")])
@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_a_version_that_is_not_finished_replaces_nothing(
    database: Database, kind: StepKind, of: str, status: str
) -> None:
    video_id = finished(database)
    (good,) = (m for m in found(database, Search(kind=kind)) if m.scene == 1)
    with database.transaction() as cursor:
        look = {"timestamp": "0:00", "style": "Anime", "mood": "Calm"}
        if kind == "image":
            versions.add_frame(cursor, video_id, 1, prompt="A door", **look)
        else:
            versions.add_clip(cursor, video_id, 1, prompt="It opens")
        mark = f"UPDATE video_{of}s SET status = %s WHERE session_id = %s AND version = 2"
        cursor.execute(mark, (status, video_id))
    with pytest.raises(Conflict, match=video_id), database.transaction() as cursor:
        media.delete(cursor, good)
    with database.transaction() as cursor:
        cursor.execute(mark, ("succeeded", video_id))
        assert media.delete(cursor, good) == [good.key]


@pytest.mark.parametrize("kind", ["image", "clip", "video"])
def test_what_a_video_is_made_of_goes_only_with_it(database: Database, kind: str) -> None:
    video_id = finished(database)
    with database.transaction() as cursor:
        for table in ("video_frames", "video_clips", "final_videos"):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND "
                "column_name NOT IN ('id', 'version', 'media_id', 'created_at')",
                (table,),
            )
            columns = ", ".join(row["column_name"] for row in cursor.fetchall())
            cursor.execute(
                f"INSERT INTO {table} (version, {columns}) SELECT 2, {columns} FROM {table}"
            )
    old, new = (
        next(m for m in found(database) if m.kind == kind and m.version == version)
        for version in (1, 2)
    )
    with pytest.raises(Conflict, match=video_id), database.transaction() as cursor:
        media.delete(cursor, new)
    with database.transaction() as cursor:
        keys = media.delete(cursor, old)
    assert old.key is not None
    stem = old.key.removesuffix("mp4")
    own = [f"{stem}jpg", f"{stem}mp4", f"{stem}srt"] if kind == "video" else [old.key]
    assert keys == own, "what was its own goes with it"
    left = {item.media_id for item in found(database)}
    assert old.media_id not in left
    assert new.media_id in left
