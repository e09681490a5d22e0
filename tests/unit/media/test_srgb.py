"""Images of every mode, profile, alpha, orientation and bit depth become upright 8-bit sRGB."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms

from common.domain.errors import InvalidInput
from common.domain.video import EncodedImage
from common.media import images

WHITE, DARK = (255, 255, 255), (20, 30, 40)
RED, GREEN, BLUE = (200, 30, 60), (30, 180, 70), (40, 60, 200)


def encode(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def clean_image(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(images.clean(data).data))
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert not image.info.keys() & {"icc_profile", "transparency", "exif"}
    return image


def near(pixel: object, expected: tuple[int, ...], tolerance: int = 2) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True))


def ramp(mode: str) -> Image.Image:
    """Return a gradient from black to white in a mode of more than 8 bits."""
    image = Image.new(mode, (256, 4))
    for x in range(256):
        value = {"F": x / 255}.get(mode, x * 257)
        for y in range(4):
            image.putpixel((x, y), value)
    return image


# ICC profiles with known results, built here so that no third-party file is needed.
def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    offset = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += padded
    head = bytearray(128)
    struct.pack_into(
        ">I4sI4s4s4s",
        head,
        0,
        128 + len(table + body),
        b"\0" * 4,
        0x02400000,
        b"mntr",
        space,
        b"XYZ ",
    )
    head[36:40] = b"acsp"
    struct.pack_into(">III", head, 68, 0xF6D6, 0x10000, 0xD32D)
    return bytes(head) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


NAME = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 80
WHITE_POINT = {b"desc": NAME, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(0.9642, 1, 0.8249)}
DISPLAY_P3 = icc(
    b"RGB ",
    {
        **WHITE_POINT,
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(2.2)),
    },
)
ADOBE_RGB = icc(
    b"RGB ",
    {
        **WHITE_POINT,
        b"rXYZ": xyz(0.6097, 0.3111, 0.0195),
        b"gXYZ": xyz(0.2053, 0.6257, 0.0609),
        b"bXYZ": xyz(0.1492, 0.0632, 0.7446),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(2.2)),
    },
)
GRAY_LINEAR = icc(b"GRAY", {**WHITE_POINT, b"kTRC": gamma(1.0)})
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_color_modes_keep_their_colors_in_each_format(image_format: str, mode: str) -> None:
    colours = Image.new("RGB", (96, 32), RED)
    colours.paste(GREEN, (32, 0, 64, 32))
    colours.paste(BLUE, (64, 0, 96, 32))
    expected = colours.convert("1").convert("RGB") if mode == "1" else colours
    if mode in ("L", "LA"):
        expected = colours.convert("L").convert("RGB")
    image = colours.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else None
    try:
        data = encode(image or colours.convert(mode), image_format, quality=98)
    except OSError:
        pytest.skip(f"{image_format} holds no {mode}")
    result = clean_image(data)
    if mode == "1":
        difference = ImageChops.difference(result, expected).convert("L").point(lambda v: v > 128)
        assert difference.getbbox() is None or image_format != "PNG"
        return
    for x in (16, 48, 80):
        pixel = expected.getpixel((x, 16))
        assert isinstance(pixel, tuple)
        assert near(result.getpixel((x, 16)), pixel, 6), (image_format, mode, x)


def test_16_bit_gray_is_scaled_to_8_bits() -> None:
    result = clean_image(encode(ramp("I;16")))
    assert all(near(result.getpixel((x, 1)), (x, x, x), 1) for x in range(256))


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "I;16B", "LAB", "HSV", "La", "RGBa", "PA"])
def test_other_pillow_modes_are_converted_to_rgb(mode: str) -> None:
    from common.media import srgb

    if mode in ("F", "I", "I;16", "I;16B"):
        result = srgb.upright_rgb(ramp(mode))
        assert all(near(result.getpixel((x, 1)), (x, x, x), 1) for x in range(256))
        return
    image = Image.new("RGB", (8, 8), RED)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), lab, outputMode=mode
        )
        assert converted is not None
    elif mode in ("La", "RGBa"):
        converted = image.convert("LA" if mode == "La" else "RGBA").convert(mode)
    elif mode == "PA":
        converted = image.convert("P", palette=Image.Palette.ADAPTIVE).convert("PA")
    else:
        converted = image.convert(mode)
    result = srgb.upright_rgb(converted)
    expected = image.convert("L").convert("RGB").getpixel((4, 4)) if mode == "La" else RED
    assert isinstance(expected, tuple)
    assert result.mode == "RGB"
    assert near(result.getpixel((4, 4)), expected, 4)


def transparent_square() -> Image.Image:
    """Return a dark square on transparent pixels whose hidden colour is magenta."""
    image = Image.new("RGBA", (64, 64), (255, 0, 255, 0))
    image.paste((*DARK, 255), (16, 16, 48, 48))
    image.putpixel((0, 63), (*DARK, 128))
    return image


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF"])
def test_transparent_pixels_become_white(image_format: str) -> None:
    options = {} if image_format == "AVIF" else {"lossless": True, "exact": True}
    result = clean_image(encode(transparent_square(), image_format, quality=100, **options))
    assert near(result.getpixel((4, 4)), WHITE)
    assert near(result.getpixel((32, 32)), DARK, 4)
    if image_format != "AVIF":
        assert near(result.getpixel((0, 63)), (137, 142, 147))  # half of each


def test_transparent_gray_and_palette_images_become_white() -> None:
    gray = clean_image(encode(transparent_square().convert("LA")))
    assert near(gray.getpixel((4, 4)), WHITE)
    assert near(gray.getpixel((32, 32)), (28, 28, 28), 3)
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([255, 0, 255, *DARK, *BLUE])
    palette.paste(1, (16, 16, 48, 48))
    for key in (0, bytes([0, 255, 128])):
        result = clean_image(encode(palette, transparency=key))
        assert result.getpixel((4, 4)) == WHITE
        assert result.getpixel((32, 32)) == DARK


def test_downscaling_does_not_bleed_hidden_colors() -> None:
    image = Image.new("RGBA", (3000, 3000), (255, 0, 255, 0))
    image.paste((*DARK, 255), (1023, 1023, 2001, 2001))
    result = clean_image(encode(image, compress_level=1))
    colours = result.getcolors(100_000)
    assert colours is not None
    for _, colour in colours:  # no magenta bleeds in
        assert isinstance(colour, tuple)
        assert max(colour) - min(colour) <= 40, colour


def png(depth: int, kind: int, rows: list[bytes], **chunks: bytes) -> bytes:
    """Return a PNG of a bit depth and colour type that Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    width = len(rows[0]) * 8 // (depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind])
    head = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    extra = b"".join(chunk(name.encode(), body) for name, body in chunks.items())
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def transparent_pngs() -> Iterator[tuple[str, bytes, list[tuple[int, int, int]]]]:
    """Yield name, PNG with transparency and its expected pixels on white."""
    for depth, row, key, expected in (
        (1, b"\x40", 1, [0, 255, 0, 0, 0, 0, 0, 0]),
        (1, b"\x40", 0, [255, 255, 255, 255, 255, 255, 255, 255]),
        (2, b"\x1b", 1, [0, 255, 170, 255]),
        (4, b"\x0a", 0, [255, 170]),
        (8, b"\x00\x50\xa0", 0x50, [0, 255, 160]),
        (16, b"\x00\x00\x80\x00\x80\x01", 0x8000, [0, 255, 128]),
    ):
        data = png(depth, 0, [row], tRNS=struct.pack(">H", key))
        yield f"gray {depth}, {key}", data, [(v, v, v) for v in expected]
    colours = bytes([10, 20, 30, 40, 50, 60])
    data = png(8, 2, [colours], tRNS=struct.pack(">HHH", 10, 20, 30))
    yield "colour 8", data, [WHITE, (40, 50, 60)]
    wide = b"".join(bytes([v, 7]) for v in colours)
    data = png(16, 2, [wide], tRNS=struct.pack(">HHH", 10 << 8 | 7, 20 << 8 | 7, 30 << 8 | 7))
    yield "colour 16", data, [WHITE, (40, 50, 60)]
    data = png(16, 4, [struct.pack(">HHHH", 0x8000, 0xFFFF, 0x1000, 0)])
    yield "gray and alpha 16", data, [(128, 128, 128), WHITE]
    data = png(16, 6, [struct.pack(">HHHHHHHH", 0x8000, 0, 0xFFFF, 0xFFFF, 1, 2, 3, 0)])
    yield "colour and alpha 16", data, [(128, 0, 255), WHITE]
    data = png(2, 3, [b"\x1b"], PLTE=bytes([*RED, *GREEN, *BLUE, *DARK]), tRNS=b"\xff\x00")
    yield "palette 2", data, [RED, WHITE, BLUE, DARK]


@pytest.mark.parametrize(
    ("data", "expected"), [pytest.param(*c[1:], id=c[0]) for c in transparent_pngs()]
)
def test_png_transparency_is_applied_at_each_bit_depth(
    data: bytes, expected: list[tuple[int, int, int]]
) -> None:
    result = clean_image(data)
    pixels = [result.getpixel((x, 0)) for x in range(result.width)]
    assert all(
        near(pixel, expected_pixel, 1)
        for pixel, expected_pixel in zip(pixels, expected, strict=True)
    ), pixels


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("profile", "colour", "expected"),
    [
        # Pure sRGB red and green, encoded in the wider colour spaces.
        (DISPLAY_P3, (234, 51, 36), (255, 0, 0)),
        (ADOBE_RGB, (219, 0, 0), (255, 0, 0)),
        (ADOBE_RGB, (144, 255, 60), (0, 255, 0)),
        (SRGB, RED, RED),
        (b"no profile at all", RED, RED),
        (GRAY_LINEAR, RED, RED),  # profile of another colour space than the pixels
        (DISPLAY_P3[:200], RED, RED),
    ],
    ids=["p3", "adobe red", "adobe green", "srgb", "broken", "gray", "cut off"],
)
def test_icc_profile_is_applied_and_a_broken_one_ignored(
    image_format: str, profile: bytes, colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    data = encode(Image.new("RGB", (32, 32), colour), image_format, quality=98, icc_profile=profile)
    result = clean_image(data).getpixel((16, 16))
    assert near(result, expected, 8), result


def test_icc_profile_is_applied_to_gray_palette_and_alpha_images() -> None:
    gray = encode(Image.new("L", (16, 16), 55), icc_profile=GRAY_LINEAR)
    assert near(clean_image(gray).getpixel((8, 8)), (128, 128, 128), 3)  # 0.2158 linear
    of_colour = encode(Image.new("L", (16, 16), 128), "JPEG", icc_profile=SRGB)
    assert near(clean_image(of_colour).getpixel((8, 8)), (128, 128, 128), 2)
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([0, 0, 0, 234, 51, 36])
    assert near(
        clean_image(encode(palette, icc_profile=DISPLAY_P3)).getpixel((8, 8)), (255, 0, 0), 4
    )
    transparent_image = Image.new("RGBA", (16, 16), (234, 51, 36, 0))
    transparent_image.paste((234, 51, 36, 255), (8, 0, 16, 16))
    result = clean_image(encode(transparent_image, icc_profile=DISPLAY_P3))
    assert result.getpixel((2, 2)) == WHITE
    assert near(result.getpixel((12, 2)), (255, 0, 0), 4)


def test_16_bit_gray_is_scaled_before_its_icc_profile_is_applied() -> None:
    result = clean_image(encode(ramp("I;16"), icc_profile=GRAY_LINEAR))
    assert near(result.getpixel((55, 1)), (128, 128, 128), 3)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_turned_upright(image_format: str, orientation: int) -> None:
    upright = Image.new("RGB", (96, 64), RED)
    upright.paste(GREEN, (48, 0, 96, 32))
    upright.paste(BLUE, (0, 32, 48, 64))
    upright.paste(DARK, (48, 32, 96, 64))
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    rotated = upright.transpose(method) if method is not None else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = clean_image(encode(rotated, image_format, quality=98, exif=exif))
    assert result.size == (96, 64)
    for point, colour in {(8, 8): RED, (88, 8): GREEN, (8, 56): BLUE, (88, 56): DARK}.items():
        assert near(result.getpixel(point), colour, 8), (point, result.getpixel(point))


def test_broken_exif_is_ignored() -> None:
    image = Image.new("RGB", (32, 16), RED)
    for exif in (b"Exif\0\0", b"Exif\0\0garbage that is no TIFF", b"Exif\0\0MM\0*\0\0\xff\xff"):
        assert clean_image(encode(image, "JPEG", exif=exif)).size == (32, 16)


def test_mpo_file_yields_its_first_image() -> None:
    first, second = Image.new("RGB", (64, 32), RED), Image.new("RGB", (16, 16), BLUE)
    data = encode(first, "MPO", save_all=True, append_images=[second], quality=95)
    result = clean_image(data)
    assert result.size == (64, 32)
    assert near(result.getpixel((20, 20)), RED, 4)


@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_jpeg_is_accepted_only_without_its_end_marker(progressive: bool) -> None:
    noise = Image.effect_noise((320, 200), 60).convert("RGB")
    data = encode(noise, "JPEG", progressive=progressive)
    complete = clean_image(data).tobytes()
    for missing_bytes in (1, 2):
        assert clean_image(data[:-missing_bytes]).tobytes() == complete
    for missing_bytes in (40, 400, len(data) // 2):
        with pytest.raises(InvalidInput) as caught:
            images.clean(data[:-missing_bytes])
        assert "cut off" in caught.value.detail


@pytest.mark.parametrize(("width", "height"), [(8064, 6048), (12032, 9024)])
def test_large_photo_is_cleaned_without_full_decode_memory(
    width: int, height: int, tmp_path: Path
) -> None:
    """48 and 108 megapixels would take 195 and 434 MB if decoded at full size."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(Image.new("RGB", (width, height), RED), "JPEG"))
    script = (
        "import resource, sys, pathlib\n"
        "from common.media import images\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "image = images.clean(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(*images.size(image), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, photo], check=True, capture_output=True, text=True
    )
    clean_width, clean_height, grown = map(int, process.stdout.split())
    assert (max(clean_width, clean_height), clean_width * 3) == (2048, clean_height * 4)
    assert grown < 150_000, f"{grown} KiB more"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic"), "HEIC"),
        (struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"mif1", 0, b"mif1", b"heic"), "HEIC"),
        (encode(Image.new("RGB", (8, 8)), "GIF"), "GIF"),
        (encode(Image.new("RGB", (8, 8)), "TIFF"), "TIFF"),
        (encode(Image.new("RGB", (8, 8)), "BMP"), "BMP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"", "empty"),
        (b"hello", "not a PNG"),
    ],
)
def test_unsupported_format_is_named(data: bytes, word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        images.clean(data)
    assert caught.value.error_code == "image.invalid"
    assert word in caught.value.detail


def test_fit_converts_an_image_of_the_right_size_to_srgb() -> None:
    """`fit` returns only a plain sRGB image unchanged."""
    size = (64, 64)
    transparent_image = EncodedImage(encode(transparent_square()))
    fitted = Image.open(io.BytesIO(images.fit(transparent_image, size).data))
    assert fitted.getpixel((4, 4)) == WHITE
    profiled = EncodedImage(encode(Image.new("RGB", size, (234, 51, 36)), icc_profile=DISPLAY_P3))
    fitted = Image.open(io.BytesIO(images.fit(profiled, size).data))
    assert near(fitted.getpixel((4, 4)), (255, 0, 0), 3)
    plain = EncodedImage(encode(Image.new("RGB", size, RED)))
    assert images.fit(plain, size) is plain


def test_adobe_cmyk_jpeg_is_inverted() -> None:
    data = encode(Image.new("RGB", (32, 32), RED).convert("CMYK"), "JPEG", quality=98)
    assert b"Adobe" in data
    assert near(clean_image(data).getpixel((16, 16)), RED, 4)
