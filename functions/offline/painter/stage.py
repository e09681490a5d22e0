"""The stage: composites layers from far to near, with the style's effects.

Units: 1 is the short side of the image; x runs right and y runs down from the upper left corner.
"""

import math
import random
from dataclasses import dataclass
from enum import IntEnum

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from offline.painter import texture
from offline.painter.colour import Colour, Rgb, mix, parse, to_rgb
from offline.painter.drawing import Drawing
from offline.painter.light import Light
from offline.painter.pen import Lamp, Pen, Sheet


class Band(IntEnum):
    """Depth bands, which the video provider moves against each other."""

    SKY = 0
    CLOUDS = 1
    FAR = 2
    BACK = 3
    MIDDLE = 4
    MAIN = 5
    NEAR = 6


@dataclass(slots=True)
class Layer:
    """A layer in progress: draw with `pen`, then pass it to `Stage.add`."""

    band: Band
    depth: float
    box: tuple[int, int, int, int]
    canvas: Image.Image
    factor: int
    pen: Pen
    lamps: list[Lamp]


class Stage:
    """The image in progress, its depth labels and its lights."""

    def __init__(self, size: tuple[int, int], light: Light, drawing: Drawing, seed: int) -> None:
        self.size = size
        self.unit = min(size)
        self.width, self.height = size[0] / self.unit, size[1] / self.unit
        self.light = light
        self.drawing = drawing
        self.seed = seed
        self.rng = random.Random(seed)
        self.image = Image.new("RGB", size)
        self.labels = Image.new("L", size)
        self.lamps: list[Lamp] = []
        self.sun: tuple[float, float] | None = None
        self.keep: tuple[Image.Image, tuple[int, int]] | None = None
        self._material: Image.Image | None = None

    # -- drawing -----------------------------------------------------------------------------------
    def layer(
        self,
        band: Band,
        depth: float,
        *,
        top: float = 0.0,
        bottom: float | None = None,
        left: float = 0.0,
        right: float | None = None,
        factor: int = 2,
    ) -> Layer:
        """Return an empty sheet that covers the given part of the image."""
        width, height = self.size
        box = (
            max(0, int(left * self.unit)),
            max(0, int(top * self.unit)),
            width if right is None else min(width, int(right * self.unit) + 1),
            height if bottom is None else min(height, int(bottom * self.unit) + 1),
        )
        box = (box[0], box[1], max(box[0] + 1, box[2]), max(box[1] + 1, box[3]))
        canvas = Image.new("RGBA", ((box[2] - box[0]) * factor, (box[3] - box[1]) * factor))
        lamps: list[Lamp] = []
        drawing, light = self.drawing, self.light
        line_rgb = to_rgb(mix(parse(drawing.line_colour), light.haze, light.distance(depth)))
        sheet = Sheet(
            draw=ImageDraw.Draw(canvas),
            ink=lambda fill, tone: light.ink(fill, depth, tone),
            factor=factor,
            origin=box[:2],
            line=drawing.line_width * self.unit / 1000 * (0.45 + 0.55 * depth),
            line_rgb=line_rgb,
            lamps=lamps,
        )
        scale = self.unit * factor
        pen = Pen(sheet, (scale, 0.0, -box[0] * factor, 0.0, scale, -box[1] * factor))
        return Layer(band, depth, box, canvas, factor, pen, lamps)

    def add(
        self,
        layer: Layer,
        *,
        mist: float = 0.0,
        rough: float = 1.0,
        relief: float = 1.0,
        blur: float = 0.0,
        label_from: int = 128,
        alpha: float = 1.0,
    ) -> None:
        """Composite a finished sheet onto the image.

        `mist`, `rough` and `relief` scale the style's effects; `blur` is in units; `label_from` is
        the minimum opacity (0 to 255) of pixels that get the layer's band.
        """
        flat = layer.canvas.reduce(layer.factor) if layer.factor > 1 else layer.canvas
        if blur > 0:
            flat = flat.filter(ImageFilter.GaussianBlur(blur * self.unit))
        bounds = flat.getbbox()
        if bounds is None:
            return
        flat = flat.crop(bounds)
        left, top = layer.box[0] + bounds[0], layer.box[1] + bounds[1]
        mask = flat.getchannel("A")
        if alpha < 1.0:
            mask = mask.point([round(v * alpha) for v in range(256)])
        body = flat.convert("RGB")
        body = self._worked(body, mask, (left, top), layer, rough, relief, mist)
        if self.drawing.shadow > 0 and layer.depth > 0.1 and layer.band != Band.SKY:
            self._cast(mask, (left, top), layer.depth)
        self.image.paste(body, (left, top), mask)
        self.labels.paste(
            int(layer.band),
            (left, top),
            mask.point([255 if v >= label_from else 0 for v in range(256)]),
        )
        for lamp in layer.lamps:
            self.shine(lamp)

    def shine(self, lamp: Lamp) -> None:
        """Add a round light to the current image."""
        size = max(2, round(lamp.radius * 2))
        left, top = round(lamp.x - size / 2), round(lamp.y - size / 2)
        box = (
            max(0, left),
            max(0, top),
            min(self.size[0], left + size),
            min(self.size[1], top + size),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        mask = texture.glow((size, size), 2.2)
        mask = mask.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
        self.screen(lamp.rgb, mask, box[:2], lamp.strength)
        if 1.5 < lamp.radius < self.unit * 0.2:
            self.lamps.append(lamp)

    def screen(
        self, rgb: Rgb, mask: Image.Image, position: tuple[int, int], strength: float
    ) -> None:
        """Add coloured light to the image, shaped by a mask (L)."""
        box = (*position, position[0] + mask.width, position[1] + mask.height)
        rays = Image.merge(
            "RGB",
            [
                mask.point([round(v * channel / 255 * strength) for v in range(256)])
                for channel in rgb
            ],
        )
        self.image.paste(ImageChops.screen(self.image.crop(box), rays), position)

    def veil(self, colour: Colour, mask: Image.Image, position: tuple[int, int] = (0, 0)) -> None:
        """Blend a colour into the image by a mask (L)."""
        self.image.paste(to_rgb(colour), position, mask)

    # -- inside ------------------------------------------------------------------------------------
    def _worked(
        self,
        body: Image.Image,
        mask: Image.Image,
        position: tuple[int, int],
        layer: Layer,
        rough: float,
        relief: float,
        mist: float,
    ) -> Image.Image:
        drawing = self.drawing
        box = (*position, position[0] + body.width, position[1] + body.height)
        amount = drawing.texture * rough * (0.3 + 0.7 * layer.depth)
        if amount > 0.02:
            grain = self.material().crop(box)
            grain = grain.point([round(128 + (v - 128) * amount) for v in range(256)])
            body = ImageChops.overlay(body, Image.merge("RGB", (grain, grain, grain)))
        amount = drawing.relief * relief
        if amount > 0.02 and min(body.size) > 8:
            body = self._rounded(body, mask, position, amount)
        if drawing.rim > 0 and self.sun is not None and layer.depth > 0.05:
            self._rim(body, mask, position, layer.depth)
        amount = min(0.95, mist * drawing.mist * 2.2)
        if amount > 0.02:
            fog = texture.ramp(body.size, 0, 255 * amount)
            body.paste(to_rgb(self.light.haze), (0, 0), fog)
        return body

    def material(self) -> Image.Image:
        """Return the material texture of the whole image, grey around 128."""
        if self._material is None:
            unit = self.unit
            rough = texture.clouded(self.size, self.seed + 11, (unit * 0.05, unit * 0.03), 5)
            shift = max(1, round(unit * 0.0025))
            bumps = ImageChops.subtract(rough, ImageChops.offset(rough, shift, shift), 0.42, 128)
            pools = texture.clouded(self.size, self.seed + 12, (unit * 0.2, unit * 0.08), 3)
            self._material = Image.blend(bumps, texture.stretched(pools, 40, 216), 0.34)
        return self._material

    def _rounded(
        self, body: Image.Image, mask: Image.Image, position: tuple[int, int], amount: float
    ) -> Image.Image:
        margin = max(4, round(0.05 * self.unit))
        padded = self._padded(mask, position, margin)
        inner = (margin, margin, margin + mask.width, margin + mask.height)
        for radius, share in ((0.034, 0.9), (0.007, 0.45)):
            pixels = max(1.0, radius * self.unit)
            soft = padded.filter(ImageFilter.GaussianBlur(pixels))
            dx, dy = self.towards_light(pixels * 1.1)
            lit = ImageChops.subtract(soft, ImageChops.offset(soft, -dx, -dy), 1.0, 128).crop(inner)
            gains = (0.8 * amount * share, 0.42 * amount * share)
            lit = lit.point([round(128 + (v - 128) * gains[v > 128]) for v in range(256)])
            body = ImageChops.hard_light(body, Image.merge("RGB", (lit, lit, lit)))
        return body

    def _padded(self, mask: Image.Image, position: tuple[int, int], margin: int) -> Image.Image:
        """Return the mask with a margin that is empty, except beyond the image's edges."""
        width, height = mask.size
        result = Image.new("L", (width + 2 * margin, height + 2 * margin))
        result.paste(mask, (margin, margin))
        if position[0] == 0:
            result.paste(mask.crop((0, 0, 1, height)).resize((margin, height)), (0, margin))
        if position[0] + width >= self.size[0]:
            edge = mask.crop((width - 1, 0, width, height)).resize((margin, height))
            result.paste(edge, (margin + width, margin))
        if position[1] + height >= self.size[1]:
            row = result.crop((0, margin + height - 1, result.width, margin + height))
            result.paste(row.resize((result.width, margin)), (0, margin + height))
        if position[1] == 0:
            row = result.crop((0, margin, result.width, margin + 1))
            result.paste(row.resize((result.width, margin)), (0, 0))
        return result

    def towards_light(self, length: float) -> tuple[int, int]:
        """Return an offset of the given length in pixels towards the light."""
        side = -0.6
        if self.sun is not None:
            side = 0.75 if self.sun[0] > self.width / 2 else -0.75
        return round(side * length), -max(1, round(0.8 * length))

    def _rim(
        self, body: Image.Image, mask: Image.Image, position: tuple[int, int], depth: float
    ) -> None:
        reach = max(1.0, self.unit * 0.0022 * (0.4 + depth))
        margin = math.ceil(reach) + 1
        padded = self._padded(mask, position, margin)
        dx, dy = self.towards_light(reach)
        edge = ImageChops.subtract(padded, ImageChops.offset(padded, -dx, -dy))
        edge = edge.crop((margin, margin, margin + mask.width, margin + mask.height))
        strength = self.drawing.rim * (1.15 - 0.7 * self.light.sun)
        edge = edge.point([round(v * min(1.0, strength)) for v in range(256)])
        body.paste(to_rgb(self.light.seen((1.0, 1.0, 1.0), depth, 1.0)), (0, 0), edge)

    def _cast(self, mask: Image.Image, position: tuple[int, int], depth: float) -> None:
        pixels = self.unit * 0.015 * max(0.15, depth * 1.3 - 0.2)
        grown = Image.new("L", (mask.width + 40, mask.height + 40))
        grown.paste(mask, (20, 20))
        soft = grown.filter(ImageFilter.BoxBlur(pixels)).filter(ImageFilter.BoxBlur(pixels / 2))
        dx, dy = self.towards_light(pixels * 0.9)
        strength = self.drawing.shadow * 0.55
        soft = soft.point([round(v * strength) for v in range(256)])
        self.veil(
            mix(self.light.shade, (0.0, 0.0, 0.0), 0.55),
            soft,
            (position[0] - 20 - dx, position[1] - 20 - dy),
        )
