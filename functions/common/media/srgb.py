"""Any image that Pillow decodes, as upright 8-bit sRGB without transparency.

Every place that opens an image goes through `upright_rgb`, so that the same file looks the same
everywhere: as a browser shows it on a white page.
"""

import io
import struct

from PIL import Image, ImageCms, ImageMath

BACKGROUND = (255, 255, 255)
"""What shows through where an image is transparent."""

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_OPAQUE = {"LA": "L", "RGBA": "RGB"}
# Colour space of an ICC profile, by the mode of the pixels that it describes.
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_MOST_PROFILE_BYTES = 4_000_000
_SAMPLE_BITS = {"L;2": 2, "L;4": 4, "I;16B": 16, "RGB;16B": 16}
"""Bits of a sample in a PNG, by Pillow's raw mode, where that is not the 8 that are decoded."""


def upright_rgb(image: Image.Image, *, most_side: int | None = None) -> Image.Image:
    """Return the image as `RGB` in sRGB, turned upright, over BACKGROUND.

    Samples of 16 and 32 bits are scaled to 8. An ICC profile is applied; one that is broken, or of
    another colour space than the pixels, is ignored, and the pixels count as sRGB. With `most_side`
    the longer side is made at most so many pixels. Raises what Pillow raises for a broken file.
    """
    raw_mode = _raw_mode(image)
    image.load()
    turn = _TURNS.get(_orientation(image))
    profile = image.info.get("icc_profile")
    whole = _eight_bits(image, raw_mode)
    if most_side is not None and max(whole.size) > most_side:
        # Before everything else that needs memory. Pillow weighs colours by their alpha.
        size = tuple(max(1, round(side * most_side / max(whole.size))) for side in whole.size)
        whole = whole.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    alpha = whole.getchannel("A") if whole.mode in _OPAQUE else None
    colours = _in_srgb(whole.convert(_OPAQUE.get(whole.mode, whole.mode)), profile)
    if alpha is not None:
        colours = Image.composite(colours, Image.new("RGB", colours.size, BACKGROUND), alpha)
    return colours.transpose(turn) if turn is not None else colours


def is_plain(image: Image.Image) -> bool:
    """Return whether the file already holds upright 8-bit RGB without profile and transparency."""
    extras = {"icc_profile", "transparency", "exif", "Raw profile type exif"}
    return image.mode == "RGB" and not extras & image.info.keys()


def _raw_mode(image: Image.Image) -> str:
    """Return how Pillow reads the samples of a file that is not loaded; empty if unknown."""
    tiles = getattr(image, "tile", None) or [None]
    arguments = tiles[0][3] if tiles[0] else None
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, TypeError, ValueError, KeyError, struct.error):
        return 1  # EXIF is broken in many files whose pixels are whole


def _eight_bits(image: Image.Image, raw_mode: str) -> Image.Image:
    """Return the image as L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled(image)
    if image.mode in ("La", "RGBa"):
        return image.convert(image.mode.upper())
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return _transformed(image, ImageCms.ImageCmsProfile(lab))
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        return _keyed(image, raw_mode)
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """Return samples of 16 bits (`I`, `I;16`) as 8; of `F`, 1, 255 or 65,535 counts as white."""
    key = image.info.get("transparency")
    if image.mode == "F":
        high = float(image.getextrema()[1])  # type: ignore[arg-type]  # there is one band
        white = 1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0
        wide = image
    else:
        white, wide = 65535.0, image.convert("I")
    gray = wide.convert("F").point(lambda sample: sample * (255 / white) + 0.5).convert("L")
    if isinstance(key, int):
        gray.putalpha(_not_equal(wide, key))
    return gray


def _keyed(image: Image.Image, raw_mode: str) -> Image.Image:
    """Return L or RGB in which one value is transparent as LA or RGBA.

    PNG gives the value with as many bits as the samples have in the file (`tRNS`).
    """
    bits = _SAMPLE_BITS.get(raw_mode, 8)
    key = image.info["transparency"]
    bare = image.convert("L") if image.mode == "1" else image.copy()
    bare.info.pop("transparency", None)
    values = key if isinstance(key, tuple) else (key,)
    if image.mode == "1":
        values = tuple(255 if value else 0 for value in values)
    else:
        values = tuple(
            value >> 8 if bits == 16 else value * 255 // ((1 << bits) - 1) for value in values
        )
    masks = [_not_equal(band, value) for band, value in zip(bare.split(), values, strict=True)]
    alpha = masks[0]
    for mask in masks[1:]:
        alpha = Image.composite(Image.new("L", alpha.size, 255), alpha, mask)
    bare.putalpha(alpha)
    return bare


def _not_equal(band: Image.Image, key: int) -> Image.Image:
    """Return 0 where the band has that value, and 255 elsewhere."""
    mask: Image.Image = ImageMath.lambda_eval(lambda of: (of["band"] != key) * 255, band=band)
    return mask.convert("L")


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Return L, RGB or CMYK as RGB in sRGB."""
    if isinstance(profile, bytes) and 0 < len(profile) <= _MOST_PROFILE_BYTES:
        try:
            described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = described.profile.xcolor_space.strip()
            if image.mode == "L" and space == "RGB":  # common for grayscale JPEGs
                image = image.convert("RGB")
            if _SPACES[image.mode] == space:
                return _transformed(image, described)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    to = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    in_srgb = ImageCms.profileToProfile(image, profile, to, outputMode="RGB")
    assert in_srgb is not None  # a new image, because it was not asked for in place
    return in_srgb
