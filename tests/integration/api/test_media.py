"""The media library: ids, search, pagination, deletion, and revocation of links."""

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
from tests.support.rows import admit, insert_story

NO_FILTER = Search()


def finished_video(database: Database, **changes: str) -> str:
    """Insert a finished video of three scenes with all its media; return its id."""
    video_id, _ = admit(database, **changes)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        for n in (1, 2, 3):
            key = f"{changes.get('user_id', 'alice')}/{video_id}"
            scenes.finish_image(
                cursor, video_id, n, 1, key=f"{key}/{n}.png", usd=Decimal(0), size=(1280, 720)
            )
            # The provider's size and duration differ slightly from the requested ones.
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
        final = FinalVideo(
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
        videos.insert_final(cursor, video_id, final)
    return video_id


def list_media(database: Database, search: Search = NO_FILTER, **page: object) -> list[Media]:
    options = {"user_id": "alice", "limit": 100, "before": None, **page}
    with database.transaction() as cursor:
        return media.page(cursor, options.pop("user_id"), search, **options)  # type: ignore[arg-type]  # one value of each type


def test_media_list_contains_every_object_of_a_video(database: Database) -> None:
    video_id = finished_video(database)
    items = list_media(database)
    assert [item.kind for item in items].count("image") == 3
    assert [item.kind for item in items].count("clip") == 3
    assert [item.kind for item in items].count("video") == 1
    assert len({item.media_id for item in items}) == 7
    assert all(re.fullmatch(r"med_[0-9A-Z]{26}", item.media_id) for item in items)
    assert {item.video_id for item in items} == {video_id}
    (final,) = (item for item in items if item.kind == "video")
    assert (final.size_bytes, final.seconds, final.name) == (4711, Decimal(15), "A boat")
    assert (final.width, final.height) == (1920, 1080)
    clip = next(item for item in items if item.kind == "clip")
    assert (clip.width, clip.height, clip.seconds) == (1168, 864, Decimal("5.042"))
    image = next(item for item in items if item.kind == "image")
    assert (image.width, image.height, image.seconds) == (1280, 720, None)


def test_media_ids_of_database_and_code_have_the_same_format(database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT new_id('med') AS id FROM generate_series(1, 500)")
        generated = [row["id"] for row in cursor.fetchall()]
    before, after = ids.new("med"), ids.new("med")
    assert len(set(generated)) == 500
    assert generated == sorted(generated)
    for identifier in generated:
        assert ids.from_bytes("med", ids.to_bytes(identifier)) == identifier
    # Both use the same clock, so the ids share their prefix.
    assert before[:10] == generated[0][:10] == after[:10]


def test_media_list_omits_an_unfinished_image(database: Database) -> None:
    video_id, _ = admit(database)
    insert_story(database, video_id)
    assert list_media(database) == []
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key="alice/v/1.png", usd=Decimal(0))
    assert [item.key for item in list_media(database)] == ["alice/v/1.png"]


def test_media_search_by_kind_video_time_and_text(database: Database) -> None:
    first_video, second_video = finished_video(database), finished_video(database)
    assert len(list_media(database)) == 14
    assert {item.kind for item in list_media(database, Search(kind="clip"))} == {"clip"}
    assert {item.video_id for item in list_media(database, Search(video_id=first_video))} == {
        first_video
    }
    assert len(list_media(database, Search(text="SCENE 2"))) == 4
    assert list_media(database, Search(text="100%")) == []
    assert list_media(database, Search(text="_cene")) == []
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE video_frames SET created_at = now() - interval '2 days' WHERE session_id = %s",
            (second_video,),
        )
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert len(list_media(database, Search(until=yesterday))) == 3
    assert len(list_media(database, Search(since=yesterday))) == 11


def test_media_pagination_is_complete_and_newest_first(database: Database) -> None:
    for _ in range(3):
        finished_video(database)
    everything, paged, before = list_media(database), [], None
    while page := list_media(database, limit=4, before=before):
        paged += page
        before = page[-1].media_id
    assert paged == everything
    assert [item.media_id for item in paged] == sorted(
        (item.media_id for item in paged), reverse=True
    )


def test_media_are_visible_only_to_their_owner(database: Database) -> None:
    finished_video(database)
    (item, *_) = list_media(database)
    assert list_media(database, user_id="bob") == []
    for get in (media.get, media.by_key):
        reference = item.media_id if get is media.get else item.key
        with database.transaction() as cursor:
            assert get(cursor, str(reference), "alice") == item
            with pytest.raises(NotFound):
                get(cursor, str(reference), "bob")


def test_raising_the_epoch_revokes_older_links(database: Database) -> None:
    finished_video(database)
    finished_video(database, user_id="bob")
    own_item, foreign_item = list_media(database)[0], list_media(database, user_id="bob")[0]
    with database.transaction() as cursor:
        assert media.epoch(cursor, "alice") == 0
        assert media.by_epoch(cursor, own_item.media_id, 0) == own_item
        media.raise_epoch(cursor, "alice")
        media.raise_epoch(cursor, "alice")
        assert media.epoch(cursor, "alice") == 2
        for other_epoch in (0, 1, 3):
            with pytest.raises(NotFound):
                media.by_epoch(cursor, own_item.media_id, other_epoch)
        assert media.by_epoch(cursor, own_item.media_id, 2) == own_item
        assert media.by_epoch(cursor, foreign_item.media_id, 0) == foreign_item


@pytest.mark.parametrize(("kind", "table"), [("image", "frame"), ("clip", "clip")])
@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_media_delete_requires_a_finished_newer_version(
    database: Database, kind: StepKind, table: str, status: str
) -> None:
    video_id = finished_video(database)
    (finished_item,) = (m for m in list_media(database, Search(kind=kind)) if m.scene == 1)
    with database.transaction() as cursor:
        columns = {"timestamp": "0:00", "style": "Anime", "mood": "Calm"}
        if kind == "image":
            versions.add_image(cursor, video_id, 1, prompt="A door", **columns)
        else:
            versions.add_clip(cursor, video_id, 1, prompt="It opens")
        update = f"UPDATE video_{table}s SET status = %s WHERE session_id = %s AND version = 2"
        cursor.execute(update, (status, video_id))
    with pytest.raises(Conflict, match=video_id), database.transaction() as cursor:
        media.delete(cursor, finished_item)
    with database.transaction() as cursor:
        cursor.execute(update, ("succeeded", video_id))
        assert media.delete(cursor, finished_item) == [finished_item.key]


@pytest.mark.parametrize("kind", ["image", "clip", "video"])
def test_media_in_use_by_a_video_cannot_be_deleted(database: Database, kind: str) -> None:
    video_id = finished_video(database)
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
        next(m for m in list_media(database) if m.kind == kind and m.version == version)
        for version in (1, 2)
    )
    with pytest.raises(Conflict, match=video_id), database.transaction() as cursor:
        media.delete(cursor, new)
    with database.transaction() as cursor:
        keys = media.delete(cursor, old)
    assert old.key is not None
    stem = old.key.removesuffix("mp4")
    expected_keys = [f"{stem}jpg", f"{stem}mp4", f"{stem}srt"] if kind == "video" else [old.key]
    assert keys == expected_keys, "its own files are deleted with it"
    remaining = {item.media_id for item in list_media(database)}
    assert old.media_id not in remaining
    assert new.media_id in remaining
