"""The music of a video: an audio or video object of its owner."""

from common.database import Cursor, media
from common.database.media import Media
from common.domain.errors import InvalidInput, NotFound
from common.schemas.output import MusicSpec

_FIELD = "output.music.media"
_AUDIBLE_TYPES = ("audio/", "video/")


def find(cursor: Cursor, spec: MusicSpec, user_id: str) -> Media:
    """Return the media object; raises InvalidInput if it cannot be used as music."""
    try:
        item = media.get(cursor, spec.media, user_id)
    except NotFound:
        raise InvalidInput("The media object does not exist.", field=_FIELD) from None
    if item.key is None or not item.media_type.startswith(_AUDIBLE_TYPES):
        raise InvalidInput(
            f"The media object is {item.status} and has the type {item.media_type}.",
            field=_FIELD,
            allowed="an audio or video object that is ready",
        )
    if media.has_sound(cursor, item) is False:
        raise InvalidInput(
            "The media object has no audio.",
            field=_FIELD,
            allowed="a media object with audio",
        )
    return item
