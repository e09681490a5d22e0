"""The user's picture: what is refused, and what is left of one that is accepted."""

import base64
import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from common.domain.errors import InvalidInput, MediaError, PayloadTooLarge
from common.domain.video import EncodedImage
from common.media import images
from common.schemas import data_uri


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(form: str = "PNG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, form, **options)
    return out.getvalue()


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(images.read(text).data))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_are_taken(form: str) -> None:
    image = opened(encoded(picture(form)))
    assert (image.format, image.size, image.mode) == ("PNG", (64, 48), "RGB")


def test_a_data_uri_is_taken() -> None:
    assert opened("data:image/png;base64," + encoded(picture())).size == (64, 48)


def test_metadata_and_trailing_bytes_are_dropped() -> None:
    exif = Image.Exif()
    exif[0x010E] = "MARKER-IN-EXIF"
    data = picture("JPEG", exif=exif) + b"MARKER-AT-THE-END"
    assert b"MARKER" not in images.read(encoded(data)).data


def test_the_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(encoded(picture("JPEG", exif=exif))).size == (48, 64)


def test_a_large_picture_is_made_smaller_in_its_ratio() -> None:
    assert opened(encoded(picture(size=(4096, 1024)))).size == (2048, 512)


def bomb() -> bytes:
    """A PNG of 13,000 x 13,000 pixels in about 20 kB."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    rows = zlib.compress(bytes((13_000 // 8 + 1) * 13_000), 9)
    head = struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (0, 120, 240)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "not base64": (lambda: "this is not base64!", "image.encoding"),
    "empty": (lambda: "", "image.invalid"),
    "text": (lambda: encoded(b"hello world, not a picture"), "image.invalid"),
    "svg": (lambda: encoded(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "image.invalid"),
    "gif": (lambda: encoded(picture("GIF")), "image.invalid"),
    "cut short": (lambda: encoded(picture(size=(800, 600))[:-200]), "image.invalid"),
    "cut jpeg": (lambda: encoded(picture("JPEG", size=(800, 600))[:1500]), "image.invalid"),
    "bomb": (lambda: encoded(bomb()), "image.too_many_pixels"),
    "too wide": (lambda: encoded(picture(size=(20_001, 1))), "image.too_many_pixels"),
    "animated": (lambda: encoded(animated()), "image.animated"),
    "data uri of gif": (
        lambda: "data:image/gif;base64," + encoded(picture("GIF")),
        "image.invalid",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_field_and_the_reason(name: str) -> None:
    make, code = REFUSED[name]
    with pytest.raises(InvalidInput) as caught:
        images.read(make())
    assert (caught.value.field, caught.value.error_code) == ("image", code)


def test_too_many_bytes_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(PayloadTooLarge):
        images.read("A" * (data_uri.MOST_BYTES * 4 // 3 + 8))


def test_a_bomb_costs_no_memory() -> None:
    text = encoded(bomb())
    tracemalloc.start()
    with pytest.raises(InvalidInput):
        images.read(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("shape", "inside"),
    [((640, 640), (280, 0, 1000, 720)), ((640, 180), (0, 180, 1280, 540)), ((72, 128), None)],
)
def test_a_picture_of_another_shape_is_fitted_whole(
    shape: tuple[int, int], inside: tuple[int, int, int, int] | None
) -> None:
    fitted = images.fit(EncodedImage(picture(size=shape)), (1280, 720))
    with Image.open(io.BytesIO(fitted.data)) as image:
        assert image.size == (1280, 720)
        box = image.getbbox()  # what is not black
        assert box is not None
        if inside is not None:
            assert all(abs(a - b) <= 1 for a, b in zip(box, inside, strict=True))
        left, top, right, bottom = box
        assert (right - left) / (bottom - top) == pytest.approx(shape[0] / shape[1], rel=0.01)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    own = EncodedImage(picture(size=(1280, 720)))
    assert images.fit(own, (1280, 720)) is own


def test_what_is_no_picture_cannot_be_fitted() -> None:
    with pytest.raises(MediaError) as caught:
        images.fit(EncodedImage(b"\x89PNG not a picture"), (1280, 720))
    assert caught.value.error_code == "image.broken"


@pytest.mark.parametrize(
    "error",
    [
        struct.error,
        zlib.error,
        IndexError,
        TypeError,
        ZeroDivisionError,
        KeyError,
        SystemError,
        OverflowError,
        RuntimeError,
        MemoryError,
        RecursionError,
    ],
)
def test_whatever_a_decoder_raises_is_a_broken_picture(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object) -> None:
        raise error("in the decoder")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", broken)
    with pytest.raises(InvalidInput) as refused:
        images.clean(picture())
    assert refused.value.error_code == "image.invalid"
    with pytest.raises(MediaError):
        images.fit(EncodedImage(picture()), (32, 32))


def with_scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * count + b"\xff\xd9"


def test_a_progressive_picture_of_many_scans_is_not_decoded() -> None:
    data = picture("JPEG", (8000, 8000), progressive=True)
    begun = time.process_time()
    with pytest.raises(InvalidInput) as refused:
        images.clean(with_scans(data, 2000))
    assert refused.value.error_code == "image.too_many_pixels"
    assert time.process_time() - begun < 0.5
    small = picture("JPEG", (1600, 1200), progressive=True)
    assert images.clean(with_scans(small, 50)).data == images.clean(small).data


def test_pictures_of_one_request_have_a_limit_together() -> None:
    large = picture("PNG", (5000, 5000))
    images.check_total({"images.0": large})
    with pytest.raises(InvalidInput) as refused:
        images.check_total({"images.0": large, "images.1": large})
    assert (refused.value.error_code, refused.value.field) == ("image.too_many_pixels", "images.1")
    photos = {f"images.{n}": picture("JPEG", (4032, 3024)) for n in range(10)}
    images.check_total(photos)  # as a phone takes them
    images.check_total({f"images.{n}": picture("PNG", (2048, 2048)) for n in range(10)})
    images.check_total(dict.fromkeys(("a", "b"), b"no picture"))  # refused for what it is


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (3, 5)])
def test_a_picture_is_cleaned_and_fitted_in_one(size: tuple[int, int]) -> None:
    data = picture("JPEG", (4032, 3024), quality=95)
    at_once = images.clean(data, size=size)
    assert images.size(at_once) == size
    assert at_once.data == images.fit(images.clean(data), size).data
