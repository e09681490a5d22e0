"""Pictures on their way to OpenAI and back."""

import io
import warnings

from PIL import Image, UnidentifiedImageError

from common.domain.errors import MediaError
from common.domain.video import Cost, EncodedImage
from common.media import images

_LONGEST = 3  # what is longer than 3:1 counts as if it were 3:1 (`models.input_picture_tokens`)

Image.preinit()  # loads its formats now, not while an answer that was paid for waits


def sent(picture: EncodedImage, size: tuple[int, int]) -> EncodedImage:
    """Return a picture to follow, with no more pixels than the one that is made of it.

    More would cost more, by its tokens, and could not be seen.
    """
    most = size[0] * size[1]
    with Image.open(io.BytesIO(picture.data)) as image:
        width, height = image.size
    counted = width * height
    if max(width, height) > _LONGEST * min(width, height):
        counted = max(width, height) ** 2 // _LONGEST
    if counted <= most:
        return picture
    scale = (most / counted) ** 0.5
    smaller = images.decode(picture.data).resize(
        (max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.LANCZOS
    )
    out = io.BytesIO()
    smaller.save(out, "PNG")
    return EncodedImage(out.getvalue(), "image/png")


def checked(data: bytes, size: tuple[int, int], cost: Cost) -> EncodedImage:
    """Return what was painted if it is a whole PNG of that size.

    Raises MediaError (`image.unusable`), which carries what the picture cost.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of pictures that unpack to gigabytes
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                found = image.size
                if found == size:
                    image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Warning):
        raise _unusable("is not a whole PNG", cost) from None
    if found != size:
        raise _unusable(f"is {found[0]}x{found[1]}, not {size[0]}x{size[1]}", cost)
    return EncodedImage(data, "image/png")


def _unusable(how: str, cost: Cost) -> MediaError:
    return MediaError(
        f"The picture that OpenAI painted {how}. It was charged.",
        code="image.unusable",
        billed=True,
        cost=cost,
        retryable=True,
    )
