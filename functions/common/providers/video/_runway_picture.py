"""The picture as Runway takes it: not wider than 2:1, and as a data URI if that is short enough."""

import base64
import io

from PIL import Image, ImageOps

from common.domain.video import EncodedImage
from common.media import images

MOST_DATA_URI_CHARACTERS = 5_242_880
_WIDEST = 2


def within_ratio(picture: EncodedImage, size: tuple[int, int]) -> EncodedImage:
    """Return the picture, made higher if it is wider than 2:1, which Runway refuses.

    Clips may be wider (1584:672). Runway cuts a picture from its centre to the ratio of the clip,
    so strips at the top and the bottom, mirrored from the picture itself, are cut off again.
    """
    width, height = size
    if width <= _WIDEST * height:
        return picture
    strip = (width - _WIDEST * height + 3) // (2 * _WIDEST)
    inner = images.decode(picture.data)
    outer = Image.new("RGB", (width, height + 2 * strip))
    outer.paste(ImageOps.flip(inner.crop((0, 0, width, strip))), (0, 0))
    outer.paste(inner, (0, strip))
    outer.paste(ImageOps.flip(inner.crop((0, height - strip, width, height))), (0, strip + height))
    out = io.BytesIO()
    outer.save(out, "PNG")
    return EncodedImage(out.getvalue(), "image/png")


def data_uri(picture: EncodedImage) -> str | None:
    """Return the picture as a data URI, or None if that is longer than Runway takes."""
    encoded = base64.b64encode(picture.data).decode("ascii")
    uri = f"data:{picture.media_type};base64,{encoded}"
    return uri if len(uri) <= MOST_DATA_URI_CHARACTERS else None
