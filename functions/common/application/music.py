"""The music of a video: a media object of its owner that may have sound."""

from common.database import Cursor, media
from common.database.media import Media
from common.domain.errors import InvalidInput, NotFound
from common.schemas.output import MusicSpec

_FIELD = "output.music.media"
_HEARD = ("audio/", "video/")


def find(cursor: Cursor, wish: MusicSpec, user_id: str) -> Media:
    """Return the media object; raises InvalidInput for one that cannot be played under a video."""
    try:
        found = media.get(cursor, wish.media, user_id)
    except NotFound:
        raise InvalidInput("There is no such media object.", field=_FIELD) from None
    if found.key is None or not found.media_type.startswith(_HEARD):
        raise InvalidInput(
            f"The media object is {found.status}, of the type {found.media_type}.",
            field=_FIELD,
            allowed="an audio or video object that is ready",
        )
    if media.has_sound(cursor, found) is False:
        raise InvalidInput(
            "The media object has no sound.",
            field=_FIELD,
            allowed="one in which something is heard",
        )
    return found
