"""Client images: validation, cleaning and fitting to a frame size."""

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


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image_bytes(
    image_format: str = "PNG", size: tuple[int, int] = (64, 48), **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(out, image_format, **options)
    return out.getvalue()


def read_image(text: str) -> Image.Image:
    return Image.open(io.BytesIO(images.read(text).data))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_png_jpeg_and_webp_are_accepted(image_format: str) -> None:
    image = read_image(as_base64(image_bytes(image_format)))
    assert (image.format, image.size, image.mode) == ("PNG", (64, 48), "RGB")


def test_data_uri_is_accepted() -> None:
    assert read_image("data:image/png;base64," + as_base64(image_bytes())).size == (64, 48)


def test_metadata_and_trailing_bytes_are_removed() -> None:
    exif = Image.Exif()
    exif[0x010E] = "MARKER-IN-EXIF"
    data = image_bytes("JPEG", exif=exif) + b"MARKER-AT-THE-END"
    assert b"MARKER" not in images.read(as_base64(data)).data


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(as_base64(image_bytes("JPEG", exif=exif))).size == (48, 64)


def test_large_image_is_scaled_down_in_its_aspect_ratio() -> None:
    assert read_image(as_base64(image_bytes(size=(4096, 1024)))).size == (2048, 512)


def bomb() -> bytes:
    """Return a PNG of 13,000 x 13,000 pixels in about 20 kB."""

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
    "text": (lambda: as_base64(b"hello world, not a picture"), "image.invalid"),
    "svg": (lambda: as_base64(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "image.invalid"),
    "gif": (lambda: as_base64(image_bytes("GIF")), "image.invalid"),
    "cut short": (lambda: as_base64(image_bytes(size=(800, 600))[:-200]), "image.invalid"),
    "cut jpeg": (lambda: as_base64(image_bytes("JPEG", size=(800, 600))[:1500]), "image.invalid"),
    "bomb": (lambda: as_base64(bomb()), "image.too_many_pixels"),
    "too wide": (lambda: as_base64(image_bytes(size=(20_001, 1))), "image.too_many_pixels"),
    "animated": (lambda: as_base64(animated()), "image.animated"),
    "data uri of gif": (
        lambda: "data:image/gif;base64," + as_base64(image_bytes("GIF")),
        "image.invalid",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_image_is_rejected_with_field_and_code(name: str) -> None:
    make, code = REFUSED[name]
    with pytest.raises(InvalidInput) as caught:
        images.read(make())
    assert (caught.value.field, caught.value.error_code) == ("image", code)


def test_oversized_base64_is_rejected_before_decoding() -> None:
    with pytest.raises(PayloadTooLarge):
        images.read("A" * (data_uri.MAX_BYTES * 4 // 3 + 8))


def test_decompression_bomb_is_rejected_without_memory() -> None:
    text = as_base64(bomb())
    tracemalloc.start()
    with pytest.raises(InvalidInput):
        images.read(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("shape", "expected_box"),
    [((640, 640), (280, 0, 1000, 720)), ((640, 180), (0, 180, 1280, 540)), ((72, 128), None)],
)
def test_fit_letterboxes_an_image_of_another_aspect_ratio(
    shape: tuple[int, int], expected_box: tuple[int, int, int, int] | None
) -> None:
    fitted = images.fit(EncodedImage(image_bytes(size=shape)), (1280, 720))
    with Image.open(io.BytesIO(fitted.data)) as image:
        assert image.size == (1280, 720)
        box = image.getbbox()  # the area that is not black
        assert box is not None
        if expected_box is not None:
            assert all(abs(a - b) <= 1 for a, b in zip(box, expected_box, strict=True))
        left, top, right, bottom = box
        assert (right - left) / (bottom - top) == pytest.approx(shape[0] / shape[1], rel=0.01)


def test_fit_returns_an_image_of_the_right_size_unchanged() -> None:
    image = EncodedImage(image_bytes(size=(1280, 720)))
    assert images.fit(image, (1280, 720)) is image


def test_fit_rejects_a_broken_image() -> None:
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
def test_decoder_exception_is_reported_as_an_invalid_image(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object) -> None:
        raise error("in the decoder")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", broken)
    with pytest.raises(InvalidInput) as caught:
        images.clean(image_bytes())
    assert caught.value.error_code == "image.invalid"
    with pytest.raises(MediaError):
        images.fit(EncodedImage(image_bytes()), (32, 32))


def with_scans(data: bytes, count: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated `count` more times."""
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * count + b"\xff\xd9"


def test_progressive_jpeg_with_many_scans_is_rejected_quickly() -> None:
    data = image_bytes("JPEG", (8000, 8000), progressive=True)
    started = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        images.clean(with_scans(data, 2000))
    assert caught.value.error_code == "image.too_many_pixels"
    assert time.process_time() - started < 0.5
    small = image_bytes("JPEG", (1600, 1200), progressive=True)
    assert images.clean(with_scans(small, 50)).data == images.clean(small).data


def test_images_of_one_request_share_a_pixel_limit() -> None:
    large = image_bytes("PNG", (5000, 5000))
    images.check_total({"images.0": large})
    with pytest.raises(InvalidInput) as caught:
        images.check_total({"images.0": large, "images.1": large})
    assert (caught.value.error_code, caught.value.field) == ("image.too_many_pixels", "images.1")
    photos = {f"images.{n}": image_bytes("JPEG", (4032, 3024)) for n in range(10)}
    images.check_total(photos)  # photos of a phone
    images.check_total({f"images.{n}": image_bytes("PNG", (2048, 2048)) for n in range(10)})
    images.check_total(
        dict.fromkeys(("a", "b"), b"no picture")
    )  # rejected later, as invalid images


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (3, 5)])
def test_clean_with_size_equals_clean_then_fit(size: tuple[int, int]) -> None:
    data = image_bytes("JPEG", (4032, 3024), quality=95)
    cleaned = images.clean(data, size=size)
    assert images.size(cleaned) == size
    assert cleaned.data == images.fit(images.clean(data), size).data
