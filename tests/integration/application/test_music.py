"""Music of a video: media with audio, or whose audio is unknown."""

from decimal import Decimal

import pytest

from common.application import music
from common.database import Database, media, scenes, uploads, videos
from common.database.media import Search
from common.database.uploads import Upload
from common.database.videos import FinalVideo
from common.domain import ids
from common.domain.errors import InvalidInput
from common.domain.uploads import InspectedUpload
from common.schemas.output import MusicSpec
from tests.support.rows import admit, insert_story


def media_ids(database: Database, has_sound: bool | None) -> list[str]:
    """Return the media ids of an upload, a clip and a merged video."""
    video_id, _ = admit(database)
    insert_story(database, video_id)
    upload = Upload(ids.new("med"), "alice", "video", "video/mp4", 3)
    final = FinalVideo(
        1, "alice/f.mp4", "alice/f.jpg", 1, "5", 120, 9, "0" * 64, has_sound=has_sound
    )
    with database.transaction() as cursor:
        scenes.finish_clip(
            cursor,
            video_id,
            1,
            1,
            key="alice/c.mp4",
            frames=120,
            usd=Decimal(0),
            has_sound=has_sound,
        )
        videos.insert_final(cursor, video_id, final)
        stored = videos.final(cursor, video_id)
        assert stored is not None
        assert stored.has_sound is has_sound
        uploads.insert(cursor, upload)
        inspected = InspectedUpload("video/mp4", "alice/u.mp4", 3, "0" * 64, has_sound=has_sound)
        uploads.finish(cursor, upload.media_id, inspected)
        items = media.page(cursor, "alice", Search(video_id=video_id), limit=9, before=None)
    return [upload.media_id, *(item.media_id for item in items if item.kind in ("clip", "video"))]


@pytest.mark.parametrize("has_sound", [True, None])
def test_media_with_audio_is_accepted_as_music(has_sound: bool | None, database: Database) -> None:
    for media_id in media_ids(database, has_sound):
        with database.transaction() as cursor:
            item = music.find(cursor, MusicSpec.model_validate({"media": media_id}), "alice")
        assert item.media_id == media_id


def test_silent_media_is_rejected_as_music(database: Database) -> None:
    silent = media_ids(database, has_sound=False)
    assert len(silent) == 3
    for media_id in silent:
        with database.transaction() as cursor, pytest.raises(InvalidInput, match="no audio"):
            music.find(cursor, MusicSpec.model_validate({"media": media_id}), "alice")
