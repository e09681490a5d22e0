"""Images in requests to OpenAI and in its responses."""

import io
import warnings

from PIL import Image, UnidentifiedImageError

from common.domain.errors import MediaError
from common.domain.video import Cost, EncodedImage
from common.media import images

# An image more elongated than 3:1 costs as many tokens as one of 3:1 with the same longer side
# (`models.input_picture_tokens`).
_MAX_ASPECT = 3

Image.preinit()  # load the codecs now, not while a paid response is being processed


def downscaled(image: EncodedImage, size: tuple[int, int]) -> EncodedImage:
    """Return an input image with no more pixels than an output of `size` (width, height).

    More pixels would cost more tokens without a visible effect.
    """
    max_pixels = size[0] * size[1]
    with Image.open(io.BytesIO(image.data)) as header:
        width, height = header.size
    pixels = width * height
    if max(width, height) > _MAX_ASPECT * min(width, height):
        pixels = max(width, height) ** 2 // _MAX_ASPECT
    if pixels <= max_pixels:
        return image
    scale = (max_pixels / pixels) ** 0.5
    resized = images.decode(image.data).resize(
        (max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.LANCZOS
    )
    out = io.BytesIO()
    resized.save(out, "PNG")
    return EncodedImage(out.getvalue(), "image/png")


def checked(data: bytes, size: tuple[int, int], cost: Cost) -> EncodedImage:
    """Return the generated image if it is a complete PNG of `size` (width, height).

    Raises MediaError (`image.unusable`), which carries the cost of the image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of decompression bombs
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                actual = image.size
                if actual == size:
                    image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Warning):
        raise _unusable("is not a complete PNG", cost) from None
    if actual != size:
        raise _unusable(f"is {actual[0]}x{actual[1]}, not {size[0]}x{size[1]}", cost)
    return EncodedImage(data, "image/png")


def _unusable(reason: str, cost: Cost) -> MediaError:
    return MediaError(
        f"The image that OpenAI generated {reason}. It was charged.",
        code="image.unusable",
        billed=True,
        cost=cost,
        retryable=True,
    )
