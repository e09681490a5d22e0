"""Convert any image that Pillow decodes to upright 8-bit sRGB without transparency.

All code that opens an image uses `upright_rgb`, so that a file looks the same everywhere: as a
browser shows it on a white page.
"""

import io
import struct

from PIL import Image, ImageCms, ImageMath

BACKGROUND = (255, 255, 255)
"""The colour behind transparent pixels."""

_ORIENTATION = 0x0112  # the EXIF tag
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITHOUT_ALPHA = {"LA": "L", "RGBA": "RGB"}
# Colour spaces of ICC profiles by the mode of the pixels that they apply to.
_ICC_COLOUR_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_MAX_PROFILE_BYTES = 4_000_000
_SAMPLE_BITS = {"L;2": 2, "L;4": 4, "I;16B": 16, "RGB;16B": 16}
"""Bits per sample in a PNG by Pillow's raw mode, if not 8."""


def upright_rgb(image: Image.Image, *, max_side: int | None = None) -> Image.Image:
    """Return the image in mode RGB and sRGB, rotated upright, composited over BACKGROUND.

    Samples of 16 and 32 bits are scaled to 8. The ICC profile is applied; a broken one, or one for
    another colour space than that of the pixels, is ignored and the pixels are taken as sRGB. The
    image is scaled down so that no side has more than `max_side` pixels. Raises Pillow's
    exceptions for a broken file.
    """
    raw_mode = _raw_mode(image)
    image.load()
    transposition = _TRANSPOSITIONS.get(_orientation(image))
    profile = image.info.get("icc_profile")
    eight_bit = _to_eight_bits(image, raw_mode)
    if max_side is not None and max(eight_bit.size) > max_side:
        # Done first, to save memory. Pillow premultiplies alpha when it resizes.
        size = tuple(
            max(1, round(side * max_side / max(eight_bit.size))) for side in eight_bit.size
        )
        eight_bit = eight_bit.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    alpha = eight_bit.getchannel("A") if eight_bit.mode in _WITHOUT_ALPHA else None
    colours = _to_srgb(
        eight_bit.convert(_WITHOUT_ALPHA.get(eight_bit.mode, eight_bit.mode)), profile
    )
    if alpha is not None:
        colours = Image.composite(colours, Image.new("RGB", colours.size, BACKGROUND), alpha)
    return colours.transpose(transposition) if transposition is not None else colours


def is_plain(image: Image.Image) -> bool:
    """Return whether the file is already upright 8-bit RGB without profile and transparency."""
    extras = {"icc_profile", "transparency", "exif", "Raw profile type exif"}
    return image.mode == "RGB" and not extras & image.info.keys()


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's raw mode of a file that is not loaded yet; empty if unknown."""
    tiles = getattr(image, "tile", None) or [None]
    decoder_arguments = tiles[0][3] if tiles[0] else None
    raw_mode = decoder_arguments
    if isinstance(decoder_arguments, tuple) and decoder_arguments:
        raw_mode = decoder_arguments[0]
    return raw_mode if isinstance(raw_mode, str) else ""


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, TypeError, ValueError, KeyError, struct.error):
        return 1  # many intact files have broken EXIF data


def _to_eight_bits(image: Image.Image, raw_mode: str) -> Image.Image:
    """Return the image as L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_to_eight_bits(image)
    if image.mode in ("La", "RGBa"):
        return image.convert(image.mode.upper())
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return _apply_profile(image, ImageCms.ImageCmsProfile(lab))
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        return _apply_colour_key(image, raw_mode)
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale_to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale samples of 16 bits (`I`, `I;16`) to 8; white of mode `F` is 1, 255 or 65,535."""
    colour_key = image.info.get("transparency")
    if image.mode == "F":
        maximum = float(image.getextrema()[1])  # type: ignore[arg-type]  # one band
        white = 1.0 if maximum <= 1 else 255.0 if maximum <= 255 else 65535.0
        samples = image
    else:
        white, samples = 65535.0, image.convert("I")
    gray = samples.convert("F").point(lambda sample: sample * (255 / white) + 0.5).convert("L")
    if isinstance(colour_key, int):
        gray.putalpha(_not_equal(samples, colour_key))
    return gray


def _apply_colour_key(image: Image.Image, raw_mode: str) -> Image.Image:
    """Convert L or RGB with one transparent colour to LA or RGBA.

    A PNG stores the colour (`tRNS`) with as many bits per sample as the file has.
    """
    bits = _SAMPLE_BITS.get(raw_mode, 8)
    colour_key = image.info["transparency"]
    opaque = image.convert("L") if image.mode == "1" else image.copy()
    opaque.info.pop("transparency", None)
    values = colour_key if isinstance(colour_key, tuple) else (colour_key,)
    if image.mode == "1":
        values = tuple(255 if value else 0 for value in values)
    else:
        values = tuple(
            value >> 8 if bits == 16 else value * 255 // ((1 << bits) - 1) for value in values
        )
    masks = [_not_equal(band, value) for band, value in zip(opaque.split(), values, strict=True)]
    alpha = masks[0]
    for mask in masks[1:]:
        alpha = Image.composite(Image.new("L", alpha.size, 255), alpha, mask)
    opaque.putalpha(alpha)
    return opaque


def _not_equal(band: Image.Image, colour_key: int) -> Image.Image:
    """Return a mask: 0 where the band has the value `colour_key`, 255 elsewhere."""
    mask: Image.Image = ImageMath.lambda_eval(
        lambda of: (of["band"] != colour_key) * 255, band=band
    )
    return mask.convert("L")


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Convert L, RGB or CMYK to RGB in sRGB."""
    if isinstance(profile, bytes) and 0 < len(profile) <= _MAX_PROFILE_BYTES:
        try:
            icc_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            colour_space = icc_profile.profile.xcolor_space.strip()
            if image.mode == "L" and colour_space == "RGB":  # common for grayscale JPEGs
                image = image.convert("RGB")
            if _ICC_COLOUR_SPACES[image.mode] == colour_space:
                return _apply_profile(image, icc_profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def _apply_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    assert converted is not None  # None is only returned with inPlace=True
    return converted
