"""Drawing images that depend visibly on the request, and reading received images."""

import hashlib
import io
import warnings
from collections.abc import Sequence

from PIL import Image, ImageDraw, UnidentifiedImageError

MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


def look(data: bytes) -> tuple[str, int, int]:
    """Return (content type, width, height). Raises ValueError if it cannot be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = Image.open(io.BytesIO(data))
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Warning) as error:
        raise ValueError(f"It cannot be decoded as a picture: {error}") from error
    return MIME.get(picture.format or "", "other"), picture.width, picture.height


def has_alpha(data: bytes) -> bool:
    """Return whether an image has an alpha channel."""
    return "A" in Image.open(io.BytesIO(data)).getbands()


def colour(*what: bytes) -> tuple[int, int, int]:
    """Return one of 64 bright colours, determined by the input."""
    digest = hashlib.sha256(b"\0".join(what)).digest()
    red, green, blue = (64 + (byte % 4) * 55 for byte in digest[:3])
    return red, green, blue


def mean_colour(data: bytes) -> tuple[int, int, int]:
    """Return the image's mean colour, each channel rounded to steps of 32."""
    pixel = Image.open(io.BytesIO(data)).convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    red, green, blue = (int(value) // 32 * 32 + 16 for value in pixel[:3])
    return red, green, blue


def draw(
    size: tuple[int, int], words: str, inputs: Sequence[bytes] = (), form: str = "png"
) -> bytes:
    """Return an image of exactly that size: colour by text, thumbnails of the inputs on top."""
    width, height = size
    canvas = Image.new("RGB", size, colour(words.encode()))
    pen = ImageDraw.Draw(canvas)
    pen.ellipse(
        (width // 4, height // 4, width * 3 // 4, height * 3 // 4),
        fill=colour(words.encode(), *inputs),
    )
    for number, data in enumerate(inputs):
        small = Image.open(io.BytesIO(data)).convert("RGB").resize((width // 8, height // 8))
        canvas.paste(small, (8 + number * (width // 8 + 8), 8))
    pen.text((16, height - 32), words[: width // 8], fill=(255, 255, 255))
    out = io.BytesIO()
    canvas.save(out, form.upper(), **({"compress_level": 1} if form == "png" else {}))
    return out.getvalue()
