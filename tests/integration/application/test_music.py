"""What may be played under a video: only what is known to be heard, or not known to be silent."""

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
from tests.support.rows import admit, tell


def tunes(database: Database, has_sound: bool | None) -> list[str]:
    """The ids of a clip, a cut and an upload."""
    video_id, _ = admit(database)
    tell(database, video_id)
    sent = Upload(ids.new("med"), "alice", "video", "video/mp4", 3)
    cut = FinalVideo(1, "alice/f.mp4", "alice/f.jpg", 1, "5", 120, 9, "0" * 64, has_sound=has_sound)
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
        videos.insert_final(cursor, video_id, cut)
        kept = videos.final(cursor, video_id)
        assert kept is not None
        assert kept.has_sound is has_sound
        uploads.insert(cursor, sent)
        whole = InspectedUpload("video/mp4", "alice/u.mp4", 3, "0" * 64, has_sound=has_sound)
        uploads.finish(cursor, sent.media_id, whole)
        made = media.page(cursor, "alice", Search(video_id=video_id), limit=9, before=None)
    return [sent.media_id, *(one.media_id for one in made if one.kind in ("clip", "video"))]


@pytest.mark.parametrize("has_sound", [True, None])
def test_what_is_heard_can_be_music(has_sound: bool | None, database: Database) -> None:
    for media_id in tunes(database, has_sound):
        with database.transaction() as cursor:
            found = music.find(cursor, MusicSpec.model_validate({"media": media_id}), "alice")
        assert found.media_id == media_id


def test_what_is_silent_cannot_and_is_refused_before_anything_is_made(database: Database) -> None:
    silent = tunes(database, has_sound=False)
    assert len(silent) == 3
    for media_id in silent:
        with database.transaction() as cursor, pytest.raises(InvalidInput, match="no sound"):
            music.find(cursor, MusicSpec.model_validate({"media": media_id}), "alice")
