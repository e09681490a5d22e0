"""Pictures: a user's own is decoded under limits and written anew; any is fitted to a size."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageOps, UnidentifiedImageError

from common import inline, magic, srgb
from common.errors import InvalidInput, MediaError, PayloadTooLarge
from common.uploads import PICTURES
from common.video import Picture

MAX_PIXELS = 25_000_000
"""Decoded pixels: 100 MB. The limits of JPEG are higher, because it is decoded at 1/2 to 1/8."""
MAX_JPEG_PIXELS = 150_000_000
MAX_PROGRESSIVE_PIXELS = 64_000_000  # libjpeg holds all coefficients of these
MAX_SIDE = 20_000
_STORED_SIDE = 2048
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
_FIELD = "image"
_END_OF_JPEG = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 8  # entropy-coded data without a marker
_NAMES = {
    "image/heic": "HEIC", "image/gif": "GIF", "image/tiff": "TIFF", "image/bmp": "BMP",
    "image/svg+xml": "SVG", "image/jxl": "JPEG XL", "image/jp2": "JPEG 2000",
    "image/x-canon-cr3": "CR3", "application/pdf": "PDF",
}  # fmt: skip
_OF_HEIC = (
    " An iPhone takes JPEGs with Settings > Camera > Formats > Most Compatible, and converts "
    "photos that are shared as JPEG."
)


class _TooManyPixels(ValueError):
    """The header announces more pixels than are decoded."""


class _Animated(ValueError):
    """There are several frames."""


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


def decode(data: bytes) -> Image.Image:
    """Return a picture of a scene as upright 8-bit sRGB; raises MediaError (`image.unusable`)."""
    try:
        with _opened(data) as image:
            return srgb.upright_rgb(image)
    except Exception:  # as in `clean`
        raise _unusable() from None


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return the picture at exactly that size, whole, with black beside it where its shape differs.

    Providers cut a picture of another shape from its centre, and heads off with it. One of that
    size already, in plain RGB, is returned as it is. Raises MediaError (`image.unusable`) for no
    picture.
    """
    try:
        with _opened(picture.data) as image:
            if image.size == size and srgb.is_plain(image):
                return picture
            upright = srgb.upright_rgb(image)
    except Exception:  # as in `clean`
        raise _unusable() from None
    return _png(ImageOps.pad(upright, size, Image.Resampling.LANCZOS, color=(0, 0, 0)))


def clean(data: bytes, named: str = _FIELD) -> Picture:
    """Return the picture in a file as `read` does.

    Of a file with several still pictures (MPO, as phones and drones write) the first one is meant.
    """
    try:
        try:
            return _png(_small(data))
        except OSError:
            return _png(_without_end(data))
    except _TooManyPixels:
        raise _too_many_pixels(named) from None
    except _Animated:
        raise InvalidInput(
            "The picture is animated. Send one of its frames as a still picture.",
            field=named,
            code="image.animated",
        ) from None
    except Exception:  # Pillow lets out whatever its decoders meet in broken bytes, of any class
        raise InvalidInput(
            _why_unreadable(data), field=named, allowed=[*PICTURES], code="image.invalid"
        ) from None


def _bytes(text: str, named: str) -> bytes:
    try:
        return inline.decode(text)
    except inline.Oversize:
        raise PayloadTooLarge(
            f"A picture that is sent inline has at most {inline.MOST_BYTES / 1e6:.1f} MB. Send a "
            "larger one by POST /v1/uploads, and name its id.",
            field=named,
            code="image.too_large",
        ) from None
    except ValueError:
        raise InvalidInput(
            "The picture is neither base64 nor a data URI in base64.",
            field=named,
            code="image.encoding",
        ) from None


@contextmanager
def _opened(data: bytes, *, most_side: int | None = None) -> Iterator[Image.Image]:
    """Open a still picture under the limits; a JPEG at a fraction of its size if that will do."""
    with warnings.catch_warnings():
        # Of sizes, which are judged here, and of extras that are broken, which are not used.
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            most = MAX_PIXELS
            if image.format in ("JPEG", "MPO"):
                progressive = "progressive" in image.info
                most = MAX_PROGRESSIVE_PIXELS if progressive else MAX_JPEG_PIXELS
            elif getattr(image, "n_frames", 1) > 1:
                raise _Animated
            longest = max(image.size)
            if image.width * image.height > most or longest > MAX_SIDE:
                raise _TooManyPixels
            if most_side is not None and longest > most_side:
                image.draft(None, _scaled(image.size, most_side))
            if image.width * image.height > MAX_PIXELS:
                raise _TooManyPixels
            yield image


def _scaled(size: tuple[int, int], most_side: int) -> tuple[int, int]:
    width, height = (max(1, side * most_side // max(size)) for side in size)
    return width, height


def _small(data: bytes) -> Image.Image:
    with _opened(data, most_side=_STORED_SIDE) as image:
        return srgb.upright_rgb(image, most_side=_STORED_SIDE)


def _without_end(data: bytes) -> Image.Image:
    """Return a JPEG of which only the end marker is missing, as browsers show it.

    libjpeg fills up what is missing before the marker too. So the picture is whole if data that is
    put before the marker changes nothing.
    """
    if not data.startswith(b"\xff\xd8"):
        raise UnidentifiedImageError
    data = data.removesuffix(b"\xff")
    whole = _small(data + _END_OF_JPEG)
    if whole.tobytes() != _small(data + _FILLER + _END_OF_JPEG).tobytes():
        raise UnidentifiedImageError
    return whole


def _png(image: Image.Image) -> Picture:
    # Pasted into a new picture, so that nothing but pixels goes on.
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    out = io.BytesIO()
    bare.save(out, "PNG")
    return Picture(out.getvalue(), "image/png")


def _why_unreadable(data: bytes) -> str:
    found = magic.media_type(data[: magic.HEAD_BYTES]) or ""
    if found in _NAMES:
        more = _OF_HEIC if found == "image/heic" else ""
        return f"{_NAMES[found]} files are not read. Convert the picture to JPEG or PNG.{more}"
    if not data:
        return "The picture is empty."
    if found in PICTURES:
        return f"The {found.removeprefix('image/').upper()} file is damaged or cut off."
    return "The picture is not a PNG, JPEG, WebP or AVIF file."


def _too_many_pixels(named: str) -> InvalidInput:
    return InvalidInput(
        "The picture has too many pixels. At most "
        f"{MAX_PIXELS // 1_000_000} million are read of a PNG, WebP or AVIF, "
        f"{MAX_JPEG_PIXELS // 1_000_000} million of a JPEG, "
        f"{MAX_PROGRESSIVE_PIXELS // 1_000_000} million of a progressive JPEG, and sides of at "
        f"most {MAX_SIDE:,} pixels. Send a smaller copy.",
        field=named,
        code="image.too_many_pixels",
    )


def _unusable() -> MediaError:
    return MediaError("The picture of the scene cannot be read.", code="image.broken")
