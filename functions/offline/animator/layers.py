"""Splitting of an image into layers by depth, with hidden areas filled in."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageFilter

STEPS = 8
"""Subpixel positions of a layer per pixel, which limits the error to 1/16 pixel."""
_PAD = 2
REACH = 0.09
"""Distance behind nearer layers up to which a layer is filled in, as a share of the longer side.

The relative shift of two layers never exceeds it."""
# Conversion from RGB to BT.709 Y, U and V, limited range.
_LUMA = (0.18259, 0.61423, 0.06201, 16.0)
_BLUE = (-0.10064, -0.33857, 0.43922, 128.0)
_RED = (0.43922, -0.39894, -0.04027, 128.0)

Planes = tuple[Image.Image, Image.Image, Image.Image]
"""Y in full size, U and V in half size, all of mode L."""


def planes(image: Image.Image) -> Planes:
    """Return the planes of an RGB image with even sides."""
    half = image.reduce(2)
    return (
        image.convert("L", _LUMA),
        half.convert("L", _BLUE),
        half.convert("L", _RED),
    )


@dataclass(slots=True)
class Layer:
    """The pixels of one depth band: planes and masks, cropped to their bounding box.

    `position` is the upper left corner in the image, in even pixels. `parallax` is from 0 (far) to
    1 (near).
    """

    band: int
    parallax: float
    position: tuple[int, int]
    planes: Planes
    mask: Image.Image
    half_mask: Image.Image
    _shifted: dict[tuple[int, int, int], Image.Image] = field(default_factory=dict)

    def lay(self, canvas: Planes, shift: float, axis: int) -> None:
        """Paste the layer onto the canvas, shifted by `shift` pixels of Y along the axis."""
        for number, size in ((0, 1), (1, 2), (2, 2)):
            ticks = round(shift / size * STEPS)
            pixels, part = divmod(ticks, STEPS)
            offset = [self.position[0] // size, self.position[1] // size]
            offset[axis] += pixels
            body = self._shifted_plane(number, part, axis)
            mask = self._shifted_plane(3 if size == 1 else 4, part, axis)
            canvas[number].paste(body, (offset[0] - _PAD, offset[1] - _PAD), mask)

    def _shifted_plane(self, number: int, part: int, axis: int) -> Image.Image:
        key = (number, part, axis)
        shifted = self._shifted.get(key)
        if shifted is None:
            source = (*self.planes, self.mask, self.half_mask)[number]
            shifted = _subpixel_shift(source, part / STEPS, axis, edge=number < 3)
            self._shifted[key] = shifted
        return shifted


def _subpixel_shift(image: Image.Image, part: float, axis: int, *, edge: bool) -> Image.Image:
    """Return the image with a margin of `_PAD` pixels, shifted by a fraction of a pixel."""
    width, height = image.size
    margin = 2 * _PAD
    grown = Image.new("L", (width + 2 * margin, height + 2 * margin))
    grown.paste(image, (margin, margin))
    if edge:  # colours extend beyond the border, masks do not
        grown.paste(image.crop((0, 0, width, 1)).resize((width, margin)), (margin, 0))
        last = image.crop((0, height - 1, width, height))
        grown.paste(last.resize((width, margin)), (margin, margin + height))
        side = grown.crop((margin, 0, margin + 1, grown.height))
        grown.paste(side.resize((margin, grown.height)), (0, 0))
        side = grown.crop((margin + width - 1, 0, margin + width, grown.height))
        grown.paste(side.resize((margin, grown.height)), (margin + width, 0))
    size = (width + margin, height + margin)
    if part == 0:
        return grown.crop((_PAD, _PAD, _PAD + size[0], _PAD + size[1]))
    # Crop the other axis first, so that the filter needs only one pass.
    start = _PAD - part
    if axis == 0:
        strip = grown.crop((0, _PAD, grown.width, _PAD + size[1]))
        box = (start, 0.0, start + size[0], float(size[1]))
    else:
        strip = grown.crop((_PAD, 0, _PAD + size[0], grown.height))
        box = (0.0, start, float(size[0]), start + size[1])
    return strip.resize(size, Image.Resampling.BICUBIC, box=box)


def cut(image: Image.Image, labels: Image.Image | None, parallax: Sequence[float]) -> list[Layer]:
    """Return the layers of an RGB image, farthest first; the farthest fills the frame.

    `labels` (mode L) has the depth band of each pixel; without it there is one layer.
    """
    if labels is None or len(parallax) < 2:
        return [_whole(0, 0.0, image)]
    last = len(parallax) - 1
    labels = labels.point([min(v, last) for v in range(256)])
    counts = labels.histogram()
    bands = [band for band in range(len(parallax)) if counts[band]]
    farthest, *others = bands
    band_mask, nearer = _of(labels, farthest), _beyond(labels, farthest)
    safe = ImageChops.subtract(band_mask, _grown(nearer))
    filled, _ = _behind(image, safe, band_mask, nearer)
    layers = [_whole(farthest, parallax[farthest], Image.composite(image, filled, safe))]
    for band in others:
        layers += _parts(image, labels, band, parallax[band])
    return layers


def _whole(band: int, parallax: float, image: Image.Image) -> Layer:
    mask = Image.new("L", image.size, 255)
    return Layer(band, parallax, (0, 0), planes(image), mask, mask.reduce(2))


def _of(labels: Image.Image, band: int) -> Image.Image:
    return labels.point([255 * (v == band) for v in range(256)])


def _beyond(labels: Image.Image, band: int) -> Image.Image:
    return labels.point([255 * (v > band) for v in range(256)])


def _grown(mask: Image.Image) -> Image.Image:
    """Return the mask grown by two pixels, where nearer layers bleed into their surroundings."""
    return mask.filter(ImageFilter.BoxBlur(2)).point([255 * (v > 6) for v in range(256)])


def _parts(image: Image.Image, labels: Image.Image, band: int, parallax: float) -> Iterator[Layer]:
    bounds = _of(labels, band).getbbox()
    assert bounds is not None
    reach = math.ceil(REACH * max(labels.size))
    region = (
        max(0, bounds[0] - reach) // 4 * 4,
        max(0, bounds[1] - reach) // 4 * 4,
        min(labels.width, bounds[2] + reach),
        min(labels.height, bounds[3] + reach),
    )
    image, labels = image.crop(region), labels.crop(region)
    band_mask, nearer = _of(labels, band), _beyond(labels, band)
    hidden = _grown(nearer)
    safe = ImageChops.subtract(band_mask, hidden)
    filled, shape = _behind(image, safe, band_mask, nearer)
    mask = ImageChops.lighter(band_mask, ImageChops.multiply(shape, hidden)).filter(
        ImageFilter.BoxBlur(0.7)
    )
    # Keep the image's pixels, with soft edges, where the layer is visible.
    visible = ImageChops.subtract(mask.point([255 * (v > 0) for v in range(256)]), hidden)
    body = Image.composite(image, filled, visible)
    for left, right in _runs(mask):
        strip = mask.crop((left, 0, right, mask.height))
        inner = strip.getbbox()
        if inner is None:
            continue
        box = (left, inner[1] // 2 * 2, right, min(mask.height, (inner[3] + 1) // 2 * 2))
        cropped = mask.crop(box)
        position = (region[0] + box[0], region[1] + box[1])
        yield Layer(band, parallax, position, planes(body.crop(box)), cropped, cropped.reduce(2))


def _runs(mask: Image.Image) -> Iterator[tuple[int, int]]:
    """Yield the column spans (left, right) in which a mask is not empty, at even positions."""
    step = 16
    count = math.ceil(mask.width / step)
    columns = [
        mask.crop((i * step, 0, min(mask.width, (i + 1) * step), mask.height)).getbbox() is not None
        for i in range(count)
    ]
    start = None
    for i, full in enumerate([*columns, False]):
        if full and start is None:
            start = i
        elif not full and start is not None:
            yield start * step, min(mask.width, i * step)
            start = None


def _behind(
    image: Image.Image, safe: Image.Image, band_mask: Image.Image, nearer: Image.Image
) -> tuple[Image.Image, Image.Image]:
    """Return colours (RGB) and shape (L) of the layer behind nearer layers.

    Both are extrapolated from the surroundings in quarter size, because only slivers become
    visible.
    """
    size = image.size
    colour = Image.composite(image, Image.new("RGB", size), safe).reduce(4)
    colours = Image.merge("RGBa", (*colour.split(), safe.reduce(4))).convert("RGBA")
    sure = ImageChops.multiply(band_mask, ImageChops.invert(nearer)).reduce(4)
    edge = Image.merge("La", (sure, ImageChops.invert(nearer).reduce(4))).convert("LA")
    filled = _spread(colours).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    shape = _spread(edge).getchannel("R").resize(size, Image.Resampling.BILINEAR)
    return filled, shape.point([min(255, max(0, (v - 170) * 5)) for v in range(256)])


def _spread(image: Image.Image) -> Image.Image:
    """Return the image with its transparent areas filled from opaque ones at any distance."""
    rgba = image.convert("RGBA")
    if min(rgba.size) <= 2:
        colour = rgba.resize((1, 1), Image.Resampling.BOX)
        colour.putalpha(255)
        return colour.resize(rgba.size)
    coarse = _spread(rgba.reduce(2)).resize(rgba.size, Image.Resampling.BILINEAR)
    return Image.alpha_composite(coarse, _harden(rgba))


def _harden(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A").point([min(255, v * 3) for v in range(256)])
    image = image.copy()
    image.putalpha(alpha)
    return image
