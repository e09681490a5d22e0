"""Images in the form that Runway accepts: at most 2:1 wide, as a data URI if it is short enough."""

import base64
import io

from PIL import Image, ImageOps

from common.domain.video import EncodedImage
from common.media import images

MAX_DATA_URI_CHARACTERS = 5_242_880
_MAX_ASPECT = 2  # width to height


def within_ratio(image: EncodedImage, size: tuple[int, int]) -> EncodedImage:
    """Return the image, padded to 2:1 if it is wider, which Runway rejects.

    `size` is the size of the image (width, height). Clips may be wider than 2:1 (1584:672). The
    image is padded with mirrored strips at the top and bottom; Runway crops the center to the ratio
    of the clip, which removes them.
    """
    width, height = size
    if width <= _MAX_ASPECT * height:
        return image
    strip = (width - _MAX_ASPECT * height + 3) // (2 * _MAX_ASPECT)
    content = images.decode(image.data)
    padded = Image.new("RGB", (width, height + 2 * strip))
    padded.paste(ImageOps.flip(content.crop((0, 0, width, strip))), (0, 0))
    padded.paste(content, (0, strip))
    bottom = ImageOps.flip(content.crop((0, height - strip, width, height)))
    padded.paste(bottom, (0, strip + height))
    out = io.BytesIO()
    padded.save(out, "PNG")
    return EncodedImage(out.getvalue(), "image/png")


def data_uri(image: EncodedImage) -> str | None:
    """Return the image as a data URI, or None if it is longer than Runway accepts."""
    encoded = base64.b64encode(image.data).decode("ascii")
    uri = f"data:{image.media_type};base64,{encoded}"
    return uri if len(uri) <= MAX_DATA_URI_CHARACTERS else None
