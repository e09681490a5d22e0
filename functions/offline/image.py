"""Offline image provider: draws images by rule on this machine, free and without AI."""

import io

from PIL.PngImagePlugin import PngInfo

from common.domain.video import FREE, EncodedImage
from common.providers import ImageRequest, ImageResult, ProviderContext
from offline import depth_map
from offline.painter.paint import paint

SOFTWARE = "AI Video Generator offline painter (drawn by rule, no AI)"


def create(_context: ProviderContext) -> "OfflinePainter":
    """Return the provider, which needs no configuration."""
    return OfflinePainter()


class OfflinePainter:
    """A deterministic image provider: equal requests give equal bytes."""

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return a PNG of exactly the requested size, with a depth map in a private chunk.

        Raises MediaError if a reference image cannot be decoded.
        """
        image, depth = paint(request)
        info = PngInfo()
        info.add_text("Software", SOFTWARE)
        depth_map.add(info, depth)
        target = io.BytesIO()
        image.save(target, "PNG", pnginfo=info, compress_level=6)
        return ImageResult(EncodedImage(target.getvalue(), "image/png"), FREE)
