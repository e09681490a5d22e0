"""Decode untrusted images within limits, re-encode them as PNG, and letterbox them to a size."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from common.domain.errors import InvalidInput, MediaError, PayloadTooLarge
from common.domain.uploads import IMAGE_TYPES
from common.domain.video import EncodedImage
from common.media import mime, srgb
from common.schemas import data_uri

MAX_PIXELS = 25_000_000
"""Limit of decoded pixels, 100 MB. JPEGs may have more, as they can be decoded at 1/2 to 1/8."""
MAX_JPEG_PIXELS = 150_000_000
MAX_PROGRESSIVE_PIXELS = 64_000_000  # libjpeg holds all coefficients in memory
MAX_SIDE = 20_000
MAX_TOTAL_COST = 128_000_000
"""Limit of all images in one request: pixels times their decoding cost."""
_OPAQUE_COST, _TRANSPARENT_COST, _BASELINE_COST, _PROGRESSIVE_COST = 3, 4, 1, 2  # per pixel
_OPAQUE_MODES = ("1", "L", "P", "I", "I;16", "RGB")
# A small progressive JPEG can have thousands of scans, each of which decodes all pixels.
_MAX_SCAN_PIXELS = 800_000_000
_MAX_STORED_SIDE = 2048
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
_DEFAULT_FIELD = "image"
_PNG_COMPRESSION = 1  # for a photo: a fifth of the time of the default, a sixth more bytes
# Pillow decompresses text chunks when it opens a PNG. They are not used; some are 1 MB long.
PngImagePlugin.MAX_TEXT_MEMORY = 8 * 1024 * 1024
_SOS_MARKER = b"\xff\xda"
_EOI_MARKER = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 8  # entropy-coded data without a marker
_UNSUPPORTED_FORMATS = {
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
_HEIC_HINT = (
    " An iPhone takes JPEGs with Settings > Camera > Formats > Most Compatible, and converts "
    "photos that are shared as JPEG."
)


class _TooManyPixels(ValueError):
    """The image has more pixels than the limit."""


class _Animated(ValueError):
    """The image has several frames."""


def read(text: str, field: str = _DEFAULT_FIELD) -> EncodedImage:
    """Decode an image in base64 or a data URI and return it as in `clean`.

    Raises InvalidInput or PayloadTooLarge for the request's `field`.
    """
    return clean(decode_base64(text, field), field)


def size(image_file: EncodedImage) -> tuple[int, int]:
    """Return the width and height of an image that `clean` returned."""
    with Image.open(io.BytesIO(image_file.data), formats=("PNG",)) as image:
        return image.size


def decode(data: bytes) -> Image.Image:
    """Decode a scene's image to upright 8-bit sRGB; raises MediaError (`image.broken`)."""
    try:
        with _open_within_limits(data) as image:
            return srgb.upright_rgb(image)
    except Exception:  # as in `clean`
        raise _unusable_error() from None


def fit(image_file: EncodedImage, size: tuple[int, int]) -> EncodedImage:
    """Scale and letterbox an image to exactly `size`, with black bars.

    Providers crop an image of another aspect ratio around its centre, which cuts off heads. An
    image that already has the size and is plain RGB is returned unchanged. Raises MediaError
    (`image.broken`) if it cannot be decoded.
    """
    try:
        with _open_within_limits(image_file.data) as image:
            if image.size == size and srgb.is_plain(image):
                return image_file
            upright = srgb.upright_rgb(image)
    except Exception:  # as in `clean`
        raise _unusable_error() from None
    return _encode_png(_letterbox(upright, size))


def check_total(files: Mapping[str, bytes]) -> None:
    """Raise InvalidInput if the images of a request, by field, together exceed MAX_TOTAL_COST."""
    total = 0
    for field, data in files.items():
        total += _decode_cost(data)
        if total > MAX_TOTAL_COST:
            raise InvalidInput(
                "The images of the request together have too many pixels. The limit is "
                f"{MAX_TOTAL_COST // _OPAQUE_COST // 1_000_000} million for PNG, WebP and AVIF "
                f"({MAX_TOTAL_COST // _TRANSPARENT_COST // 1_000_000} million with transparency), "
                f"{MAX_TOTAL_COST // 1_000_000} million for JPEG. Send smaller or fewer images.",
                field=field,
                code="image.too_many_pixels",
            )


def clean(
    data: bytes, field: str = _DEFAULT_FIELD, size: tuple[int, int] | None = None
) -> EncodedImage:
    """Decode an untrusted image and return its pixels alone, as a PNG.

    The longer side has at most 2048 pixels; with `size`, the image is letterboxed to exactly that
    size. Of a file with several images (MPO, which phones and drones write) the first one is used.
    Raises InvalidInput for the request's `field`.
    """
    try:
        try:
            image = _decode_for_storage(data)
        except OSError:
            image = _decode_without_eoi(data)
        return _encode_png(image if size is None else _letterbox(image, size))
    except _TooManyPixels:
        raise _too_many_pixels_error(field) from None
    except _Animated:
        raise InvalidInput(
            "The image is animated. Send one of its frames as a still image.",
            field=field,
            code="image.animated",
        ) from None
    except Exception:  # Pillow's decoders raise exceptions of any class for broken data
        raise InvalidInput(
            _explain_unreadable(data), field=field, allowed=[*IMAGE_TYPES], code="image.invalid"
        ) from None


def decode_base64(text: str, field: str) -> bytes:
    """Decode a file in base64 or a data URI; raises InvalidInput or PayloadTooLarge."""
    try:
        return data_uri.decode(text)
    except data_uri.Oversize:
        raise PayloadTooLarge(
            f"An inline image may have at most {data_uri.MAX_BYTES / 1e6:.1f} MB. Upload a larger "
            "one with POST /v1/uploads and send its id.",
            field=field,
            code="image.too_large",
        ) from None
    except ValueError:
        raise InvalidInput(
            "The image is neither base64 nor a data URI in base64.",
            field=field,
            code="image.encoding",
        ) from None


@contextmanager
def _open_within_limits(data: bytes, *, max_side: int | None = None) -> Iterator[Image.Image]:
    """Open a still image within the limits; scale down a JPEG while decoding, if possible."""
    with warnings.catch_warnings():
        # Pillow warns about sizes, which are checked below, and about broken metadata.
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            max_pixels = MAX_PIXELS
            if image.format in ("JPEG", "MPO"):
                progressive = "progressive" in image.info
                max_pixels = MAX_PROGRESSIVE_PIXELS if progressive else MAX_JPEG_PIXELS
                if progressive:
                    max_pixels = min(
                        max_pixels, _MAX_SCAN_PIXELS // max(1, data.count(_SOS_MARKER))
                    )
            elif getattr(image, "n_frames", 1) > 1:
                raise _Animated
            longest_side = max(image.size)
            if image.width * image.height > max_pixels or longest_side > MAX_SIDE:
                raise _TooManyPixels
            if max_side is not None and longest_side > max_side:
                image.draft(None, _scaled_size(image.size, max_side))
            if image.width * image.height > MAX_PIXELS:
                raise _TooManyPixels
            yield image


def _scaled_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    width, height = (max(1, side * max_side // max(size)) for side in size)
    return width, height


def _decode_for_storage(data: bytes) -> Image.Image:
    with _open_within_limits(data, max_side=_MAX_STORED_SIDE) as image:
        return srgb.upright_rgb(image, max_side=_MAX_STORED_SIDE)


def _decode_without_eoi(data: bytes) -> Image.Image:
    """Decode a JPEG that lacks only its end marker (EOI), as browsers do.

    libjpeg also fills in missing image data. So the image is complete if extra data before the
    marker does not change it.
    """
    if not data.startswith(b"\xff\xd8"):
        raise UnidentifiedImageError
    data = data.removesuffix(b"\xff")
    decoded = _decode_for_storage(data + _EOI_MARKER)
    if decoded.tobytes() != _decode_for_storage(data + _FILLER + _EOI_MARKER).tobytes():
        raise UnidentifiedImageError
    return decoded


def _decode_cost(data: bytes) -> int:
    """Return the decoding cost of an image by its header; 0 if `clean` will refuse it."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=_FORMATS) as image,
        ):
            pixels = image.width * image.height
            if image.format in ("JPEG", "MPO"):
                return pixels * (
                    _PROGRESSIVE_COST if "progressive" in image.info else _BASELINE_COST
                )
            is_opaque = image.mode in _OPAQUE_MODES and "transparency" not in image.info
            return pixels * (_OPAQUE_COST if is_opaque else _TRANSPARENT_COST)
    except Exception:  # as in `clean`, which reports the reason
        return 0


def _letterbox(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=(0, 0, 0))


def _encode_png(image: Image.Image) -> EncodedImage:
    # Pasted into a new image, so that no metadata is copied.
    pixels = Image.new("RGB", image.size)
    pixels.paste(image)
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG", compress_level=_PNG_COMPRESSION)
    return EncodedImage(buffer.getvalue(), "image/png")


def _explain_unreadable(data: bytes) -> str:
    media_type = mime.media_type(data[: mime.HEAD_BYTES]) or ""
    if media_type in _UNSUPPORTED_FORMATS:
        hint = _HEIC_HINT if media_type == "image/heic" else ""
        name = _UNSUPPORTED_FORMATS[media_type]
        return f"{name} files are not supported. Convert the image to JPEG or PNG.{hint}"
    if not data:
        return "The image is empty."
    if media_type in IMAGE_TYPES:
        return f"The {media_type.removeprefix('image/').upper()} file is damaged or cut off."
    return "The image is not a PNG, JPEG, WebP or AVIF file."


def _too_many_pixels_error(field: str) -> InvalidInput:
    return InvalidInput(
        "The image has too many pixels. The limit is "
        f"{MAX_PIXELS // 1_000_000} million for PNG, WebP and AVIF, "
        f"{MAX_JPEG_PIXELS // 1_000_000} million for JPEG, "
        f"{MAX_PROGRESSIVE_PIXELS // 1_000_000} million for progressive JPEG, and {MAX_SIDE:,} "
        "pixels for a side. Send a smaller copy.",
        field=field,
        code="image.too_many_pixels",
    )


def _unusable_error() -> MediaError:
    return MediaError("The image of the scene cannot be read.", code="image.broken")
