"""The offline painter as an image provider: drawn on this machine by rule, no AI, free."""

import io

from PIL.PngImagePlugin import PngInfo

from common.domain.video import FREE, EncodedImage
from common.providers import ImageRequest, ImageResult, ProviderContext
from offline import depth_map
from offline.painter.paint import paint

SOFTWARE = "AI Video Generator offline painter (drawn by rule, no AI)"


def create(_context: ProviderContext) -> "OfflinePainter":
    """Return the provider; it needs nothing."""
    return OfflinePainter()


class OfflinePainter:
    """Draws; the same request gives the same bytes."""

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return a PNG of exactly the wished size that carries the depth of its layers.

        Raises MediaError when the reference or the anchor is not a picture.
        """
        picture, depth = paint(request)
        info = PngInfo()
        info.add_text("Software", SOFTWARE)
        depth_map.add(info, depth)
        target = io.BytesIO()
        picture.save(target, "PNG", pnginfo=info, compress_level=6)
        return ImageResult(EncodedImage(target.getvalue(), "image/png"), FREE)
