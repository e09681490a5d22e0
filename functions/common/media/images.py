"""Pictures: a user's own is decoded under limits and written anew; any is fitted to a size."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from common.domain.errors import InvalidInput, MediaError, PayloadTooLarge
from common.domain.uploads import PICTURES
from common.domain.video import EncodedImage
from common.media import mime, srgb
from common.schemas import data_uri

MAX_PIXELS = 25_000_000
"""Decoded pixels: 100 MB. The limits of JPEG are higher, because it is decoded at 1/2 to 1/8."""
MAX_JPEG_PIXELS = 150_000_000
MAX_PROGRESSIVE_PIXELS = 64_000_000  # libjpeg holds all coefficients of these
MAX_SIDE = 20_000
MAX_TOTAL = 128_000_000
"""Of several pictures in one request: pixels by their weight, which is what they cost to decode."""
_OPAQUE, _TRANSPARENT, _BASELINE, _PROGRESSIVE = 3, 4, 1, 2  # weights of a pixel
_OPAQUE_MODES = ("1", "L", "P", "I", "I;16", "RGB")
# A progressive JPEG of few bytes can have thousands of scans, each of which passes all pixels.
_MAX_SCANNED_PIXELS = 800_000_000
_STORED_SIDE = 2048
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
_FIELD = "image"
_COMPRESSION = 1  # of a photo: a fifth of the time of the default, for a sixth more bytes
# Texts of a PNG are unpacked when it is opened, and none is used. Some tools write 1 MB of them.
PngImagePlugin.MAX_TEXT_MEMORY = 8 * 1024 * 1024
_SCAN = b"\xff\xda"
_END_OF_JPEG = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 8  # entropy-coded data without a marker
_NAMES = {
    "image/heic": "HEIC",
    "image/gif": "GIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/svg+xml": "SVG",
    "image/jxl": "JPEG XL",
    "image/jp2": "JPEG 2000",
    "image/x-canon-cr3": "CR3",
    "application/pdf": "PDF",
}
_OF_HEIC = (
    " An iPhone takes JPEGs with Settings > Camera > Formats > Most Compatible, and converts "
    "photos that are shared as JPEG."
)


class _TooManyPixels(ValueError):
    """The header announces more pixels than are decoded."""


class _Animated(ValueError):
    """There are several frames."""


def read(text: str, named: str = _FIELD) -> EncodedImage:
    """Return the picture in base64 text (or a data URI) as a clean PNG of at most 2048 pixels.

    Raises InvalidInput or PayloadTooLarge about the request's field `named`; nothing is stored
    then.
    """
    return clean(file_in(text, named), named)


def size(picture: EncodedImage) -> tuple[int, int]:
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


def fit(picture: EncodedImage, size: tuple[int, int]) -> EncodedImage:
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
    return _png(_padded(upright, size))


def check_total(files: Mapping[str, bytes]) -> None:
    """Raise InvalidInput if the pictures of a request, by its fields, cost too much together."""
    total = 0
    for named, data in files.items():
        total += _weight(data)
        if total > MAX_TOTAL:
            raise InvalidInput(
                "The pictures of the request have too many pixels together: at most "
                f"{MAX_TOTAL // _OPAQUE // 1_000_000} million are decoded of PNG, WebP and AVIF "
                f"({MAX_TOTAL // _TRANSPARENT // 1_000_000} million with transparency), "
                f"{MAX_TOTAL // 1_000_000} million of JPEG. Send smaller or fewer ones.",
                field=named,
                code="image.too_many_pixels",
            )


def clean(data: bytes, named: str = _FIELD, size: tuple[int, int] | None = None) -> EncodedImage:
    """Return the picture in a file as `read` does; with `size`, as `fit` makes it of that.

    Of a file with several still pictures (MPO, as phones and drones write) the first one is meant.
    """
    try:
        try:
            image = _small(data)
        except OSError:
            image = _without_end(data)
        return _png(image if size is None else _padded(image, size))
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


def file_in(text: str, named: str) -> bytes:
    """Return the file in base64 text or a data URI; raises as `read`."""
    try:
        return data_uri.decode(text)
    except data_uri.Oversize:
        raise PayloadTooLarge(
            f"A picture that is sent inline has at most {data_uri.MOST_BYTES / 1e6:.1f} MB. Send a "
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
                if progressive:
                    most = min(most, _MAX_SCANNED_PIXELS // max(1, data.count(_SCAN)))
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


def _weight(data: bytes) -> int:
    """Return what the picture costs to decode, by its header; 0 for what will be refused anyway."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=_FORMATS) as image,
        ):
            pixels = image.width * image.height
            if image.format in ("JPEG", "MPO"):
                return pixels * (_PROGRESSIVE if "progressive" in image.info else _BASELINE)
            is_opaque = image.mode in _OPAQUE_MODES and "transparency" not in image.info
            return pixels * (_OPAQUE if is_opaque else _TRANSPARENT)
    except Exception:  # as in `clean`, which says what is wrong
        return 0


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=(0, 0, 0))


def _png(image: Image.Image) -> EncodedImage:
    # Pasted into a new picture, so that nothing but pixels goes on.
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    out = io.BytesIO()
    bare.save(out, "PNG", compress_level=_COMPRESSION)
    return EncodedImage(out.getvalue(), "image/png")


def _why_unreadable(data: bytes) -> str:
    found = mime.media_type(data[: mime.HEAD_BYTES]) or ""
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
