"""Pictures: a user's own is decoded under limits and written anew; any is fitted to a size."""

import io
import re
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from common import inline
from common.errors import InvalidInput, MediaError, PayloadTooLarge
from common.video import Picture

MAX_PIXELS = 25_000_000
MAX_SIDE = 12_000
_STORED_SIDE = 2048
_FORMATS = ("PNG", "JPEG", "WEBP")
_FIELD = "image"
_UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError)
_DATA_URI = re.compile(r"data:image/(png|jpeg|webp);base64,", re.IGNORECASE)


def read(text: str, named: str = _FIELD) -> Picture:
    """Return the picture in base64 text (or a data URI) as a clean PNG of at most 2048 pixels.

    Raises InvalidInput or PayloadTooLarge about the request's field `named`; nothing is stored
    then.
    """
    return clean(_bytes(text, named), named)


def size(picture: Picture) -> tuple[int, int]:
    """Return width and height of a picture that `clean` made."""
    with Image.open(io.BytesIO(picture.data), formats=("PNG",)) as image:
        return image.size


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return the picture at exactly that size, whole, with black beside it where its shape differs.

    Providers cut a picture of another shape from its centre, and heads off with it. One of that
    size already is returned as it is. Raises MediaError (`image.unusable`) for no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(picture.data), formats=_FORMATS) as image:
                if image.size == size:
                    return picture
                upright = ImageOps.exif_transpose(image).convert("RGB")
    except (*_UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise MediaError(
            "The picture of the scene cannot be read; paint it again.", code="image.unusable"
        ) from None
    out = io.BytesIO()
    ImageOps.pad(upright, size, Image.Resampling.LANCZOS, color=(0, 0, 0)).save(out, "PNG")
    return Picture(out.getvalue(), "image/png")


def clean(data: bytes, named: str = _FIELD) -> Picture:
    """Return the picture in a file as `read` does."""
    try:
        # A picture of few bytes can unpack to gigabytes: Pillow warns, and a warning is an error.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _clean(data, named)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(named) from None
    except _UNREADABLE:
        raise InvalidInput(
            "The picture is not a whole PNG, JPEG or WebP file.",
            field=named,
            allowed=["image/png", "image/jpeg", "image/webp"],
            code="image.invalid",
        ) from None


def _bytes(text: str, named: str) -> bytes:
    try:
        return inline.decode(text, _DATA_URI)
    except inline.Oversize:
        raise PayloadTooLarge(
            f"A picture that is sent inline has at most {inline.MOST_BYTES / 1e6:.1f} MB. Send a "
            "larger one by POST /v1/uploads, and name its id.",
            field=named,
            code="image.too_large",
        ) from None
    except ValueError:
        raise InvalidInput(
            "The picture is not base64, nor a data URI of a PNG, JPEG or WebP.",
            field=named,
            code="image.encoding",
        ) from None


def _clean(data: bytes, named: str) -> Picture:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise _too_many_pixels(named)
        if getattr(image, "n_frames", 1) > 1:
            raise InvalidInput(
                "The picture is animated; a still one is needed.",
                field=named,
                code="image.animated",
            )
        image.load()
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((_STORED_SIDE, _STORED_SIDE), Image.Resampling.LANCZOS)
    # Pasted into a new picture, so that nothing but pixels goes on.
    bare = Image.new("RGB", upright.size)
    bare.paste(upright)
    out = io.BytesIO()
    bare.save(out, "PNG")
    return Picture(out.getvalue(), "image/png")


def _too_many_pixels(named: str) -> InvalidInput:
    return InvalidInput(
        f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels, "
        f"or a side longer than {MAX_SIDE}.",
        field=named,
        code="image.too_many_pixels",
    )
