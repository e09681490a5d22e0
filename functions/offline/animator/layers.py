"""Cutting a still into layers by distance, with what lies behind them filled in."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageFilter

STEPS = 8
"""Positions per pixel that a layer can take: an error of at most 1/16 pixel."""
_PAD = 2
REACH = 0.09
"""How far behind nearer things a layer is filled in, as a share of the longer side; no layer moves
farther against another."""
# RGB to Y, U and V of BT.709, limited range.
_LUMA = (0.18259, 0.61423, 0.06201, 16.0)
_BLUE = (-0.10064, -0.33857, 0.43922, 128.0)
_RED = (0.43922, -0.39894, -0.04027, 128.0)

Planes = tuple[Image.Image, Image.Image, Image.Image]
"""Y at full size, U and V at half, all of mode L."""


def planes(picture: Image.Image) -> Planes:
    """Return the planes of an RGB picture with even sides."""
    half = picture.reduce(2)
    return (
        picture.convert("L", _LUMA),
        half.convert("L", _BLUE),
        half.convert("L", _RED),
    )


@dataclass(slots=True)
class Layer:
    """One distance: its planes with their masks, cut to where there is something.

    `place` is the upper left corner in the still, even numbers. `parallax` is 0 far to 1 near.
    """

    band: int
    parallax: float
    place: tuple[int, int]
    planes: Planes
    mask: Image.Image
    half_mask: Image.Image
    _shifted: dict[tuple[int, int, int], Image.Image] = field(default_factory=dict)

    def lay(self, canvas: Planes, shift: float, axis: int) -> None:
        """Lay the layer over the canvas, shifted by so many pixels (of Y) along the axis."""
        for number, size in ((0, 1), (1, 2), (2, 2)):
            ticks = round(shift / size * STEPS)
            whole, part = divmod(ticks, STEPS)
            at = [self.place[0] // size, self.place[1] // size]
            at[axis] += whole
            body = self._at(number, part, axis)
            mask = self._at(3 if size == 1 else 4, part, axis)
            canvas[number].paste(body, (at[0] - _PAD, at[1] - _PAD), mask)

    def _at(self, number: int, part: int, axis: int) -> Image.Image:
        key = (number, part, axis)
        found = self._shifted.get(key)
        if found is None:
            source = (*self.planes, self.mask, self.half_mask)[number]
            found = _moved(source, part / STEPS, axis, edge=number < 3)
            self._shifted[key] = found
        return found


def _moved(image: Image.Image, part: float, axis: int, *, edge: bool) -> Image.Image:
    """Return the image with a margin of `_PAD` pixels, moved by a part of a pixel."""
    width, height = image.size
    room = 2 * _PAD
    grown = Image.new("L", (width + 2 * room, height + 2 * room))
    grown.paste(image, (room, room))
    if edge:  # colours go on beyond the border, masks do not
        grown.paste(image.crop((0, 0, width, 1)).resize((width, room)), (room, 0))
        last = image.crop((0, height - 1, width, height))
        grown.paste(last.resize((width, room)), (room, room + height))
        side = grown.crop((room, 0, room + 1, grown.height))
        grown.paste(side.resize((room, grown.height)), (0, 0))
        side = grown.crop((room + width - 1, 0, room + width, grown.height))
        grown.paste(side.resize((room, grown.height)), (room + width, 0))
    size = (width + room, height + room)
    if part == 0:
        return grown.crop((_PAD, _PAD, _PAD + size[0], _PAD + size[1]))
    # Cut the other axis first: only one of the two passes of the filter is left to do.
    start = _PAD - part
    if axis == 0:
        strip = grown.crop((0, _PAD, grown.width, _PAD + size[1]))
        box = (start, 0.0, start + size[0], float(size[1]))
    else:
        strip = grown.crop((_PAD, 0, _PAD + size[0], grown.height))
        box = (0.0, start, float(size[0]), start + size[1])
    return strip.resize(size, Image.Resampling.BICUBIC, box=box)


def cut(picture: Image.Image, labels: Image.Image | None, parallax: Sequence[float]) -> list[Layer]:
    """Return the layers of an RGB picture, the farthest first, which fills the frame.

    `labels` (mode L) numbers the distance of each pixel; without it there is one layer.
    """
    if labels is None or len(parallax) < 2:
        return [_whole(0, 0.0, picture)]
    last = len(parallax) - 1
    labels = labels.point([min(v, last) for v in range(256)])
    counts = labels.histogram()
    bands = [band for band in range(len(parallax)) if counts[band]]
    farthest, *others = bands
    own, nearer = _of(labels, farthest), _beyond(labels, farthest)
    safe = ImageChops.subtract(own, _grown(nearer))
    filled, _ = _behind(picture, safe, own, nearer)
    layers = [_whole(farthest, parallax[farthest], Image.composite(picture, filled, safe))]
    for band in others:
        layers += _parts(picture, labels, band, parallax[band])
    return layers


def _whole(band: int, parallax: float, picture: Image.Image) -> Layer:
    mask = Image.new("L", picture.size, 255)
    return Layer(band, parallax, (0, 0), planes(picture), mask, mask.reduce(2))


def _of(labels: Image.Image, band: int) -> Image.Image:
    return labels.point([255 * (v == band) for v in range(256)])


def _beyond(labels: Image.Image, band: int) -> Image.Image:
    return labels.point([255 * (v > band) for v in range(256)])


def _grown(mask: Image.Image) -> Image.Image:
    """Return the mask two pixels larger: pixels beside a nearer thing hold some of its colour."""
    return mask.filter(ImageFilter.BoxBlur(2)).point([255 * (v > 6) for v in range(256)])


def _parts(
    picture: Image.Image, labels: Image.Image, band: int, parallax: float
) -> Iterator[Layer]:
    bounds = _of(labels, band).getbbox()
    assert bounds is not None
    reach = math.ceil(REACH * max(labels.size))
    region = (
        max(0, bounds[0] - reach) // 4 * 4,
        max(0, bounds[1] - reach) // 4 * 4,
        min(labels.width, bounds[2] + reach),
        min(labels.height, bounds[3] + reach),
    )
    picture, labels = picture.crop(region), labels.crop(region)
    own, nearer = _of(labels, band), _beyond(labels, band)
    hidden = _grown(nearer)
    safe = ImageChops.subtract(own, hidden)
    filled, shape = _behind(picture, safe, own, nearer)
    mask = ImageChops.lighter(own, ImageChops.multiply(shape, hidden)).filter(
        ImageFilter.BoxBlur(0.7)
    )
    # Where the layer itself is seen the still's own pixels are best, soft edges included.
    seen = ImageChops.subtract(mask.point([255 * (v > 0) for v in range(256)]), hidden)
    body = Image.composite(picture, filled, seen)
    for left, right in _runs(mask):
        strip = mask.crop((left, 0, right, mask.height))
        inner = strip.getbbox()
        if inner is None:
            continue
        box = (left, inner[1] // 2 * 2, right, min(mask.height, (inner[3] + 1) // 2 * 2))
        cropped = mask.crop(box)
        place = (region[0] + box[0], region[1] + box[1])
        yield Layer(band, parallax, place, planes(body.crop(box)), cropped, cropped.reduce(2))


def _runs(mask: Image.Image) -> Iterator[tuple[int, int]]:
    """Yield the spans of columns (left, right) in which a mask is not empty, at even places."""
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
    picture: Image.Image, safe: Image.Image, own: Image.Image, nearer: Image.Image
) -> tuple[Image.Image, Image.Image]:
    """Return what may lie behind nearer things: colours (RGB) and the layer's shape (L).

    Both are guessed from around the hole, at a quarter of the size: it is seen in slivers only.
    """
    size = picture.size
    kept = Image.composite(picture, Image.new("RGB", size), safe).reduce(4)
    colours = Image.merge("RGBa", (*kept.split(), safe.reduce(4))).convert("RGBA")
    sure = ImageChops.multiply(own, ImageChops.invert(nearer)).reduce(4)
    edge = Image.merge("La", (sure, ImageChops.invert(nearer).reduce(4))).convert("LA")
    filled = _spread(colours).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    shape = _spread(edge).getchannel("R").resize(size, Image.Resampling.BILINEAR)
    return filled, shape.point([min(255, max(0, (v - 170) * 5)) for v in range(256)])


def _spread(image: Image.Image) -> Image.Image:
    """Return the image with its transparent parts filled from the opaque ones, far and wide."""
    rgba = image.convert("RGBA")
    if min(rgba.size) <= 2:
        colour = rgba.resize((1, 1), Image.Resampling.BOX)
        colour.putalpha(255)
        return colour.resize(rgba.size)
    coarse = _spread(rgba.reduce(2)).resize(rgba.size, Image.Resampling.BILINEAR)
    return Image.alpha_composite(coarse, _firm(rgba))


def _firm(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A").point([min(255, v * 3) for v in range(256)])
    image = image.copy()
    image.putalpha(alpha)
    return image
