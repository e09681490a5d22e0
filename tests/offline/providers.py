"""Requests, a media store in memory and image measurements for the offline providers' tests."""

import io
import struct
from pathlib import Path

from PIL import Image, ImageStat

from common.domain.styles import Mood, Style, mood, style
from common.domain.video import EncodedImage, Story
from common.media import ffmpeg
from common.providers import (
    ClipRequest,
    ImageRequest,
    ImageResult,
    JobRef,
    ProviderContext,
    StoryRequest,
)
from offline.image import OfflinePainter
from offline.text import OfflineStoryteller
from offline.video import OfflineCamera
from tests.support.media_store import InMemoryMediaStore

FOX = "A red fox crosses a snowy forest to find her friend"


def story(prompt: str = FOX, scenes: int = 6, *, seed: int = 7, feeling: str = "Calm") -> Story:
    """Return a story of the offline storyteller."""
    request = StoryRequest(
        prompt=prompt,
        scenes=scenes,
        seconds=5,
        style=style("Watercolor"),
        mood=mood(feeling),
        model="storyteller-1",
        seed=seed,
    )
    return OfflineStoryteller().write_story(request).story


def image_request(
    prompt: str = FOX,
    *,
    style: Style = style("Cartoon"),  # noqa: B008 - a value, not a resource
    feeling: Mood = mood("Vibrant"),  # noqa: B008
    size: tuple[int, int] = (480, 270),
    scene: int = 1,
    scenes: int = 6,
    seed: int = 7,
    reference: EncodedImage | None = None,
    anchor: EncodedImage | None = None,
) -> ImageRequest:
    """Return a request for an image."""
    return ImageRequest(
        prompt=prompt,
        size=size,
        scene=scene,
        scenes=scenes,
        style=style,
        mood=feeling,
        model="painter-1",
        seed=seed,
        reference=reference,
        anchor=anchor,
    )


def paint(request: ImageRequest) -> ImageResult:
    """Generate an image with the offline painter."""
    return OfflinePainter().generate_image(request)


def opened(picture: EncodedImage) -> Image.Image:
    """Return the RGB pixels of an encoded image."""
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.convert("RGB")


def painted(
    prompt: str = FOX,
    *,
    style: Style = style("Cartoon"),  # noqa: B008 - a value, not a resource
    size: tuple[int, int] = (480, 270),
) -> Image.Image:
    """Return the pixels of the image that the painter generates for a prompt."""
    return opened(paint(image_request(prompt, style=style, size=size)).picture)


def mean_colourfulness(image: Image.Image) -> float:
    """Return the mean saturation, 0 to 255."""
    return float(ImageStat.Stat(image.convert("HSV")).mean[1])


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean pixel difference, 0 to 255, of two images of one size scaled to 32x18."""
    small = (32, 18)
    first_small, second_small = (
        image.resize(small, Image.Resampling.BOX) for image in (first, second)
    )
    pairs = zip(first_small.tobytes(), second_small.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (small[0] * small[1] * 3)


def as_picture(image: Image.Image) -> EncodedImage:
    """Return pixels as a PNG without the painter's own chunks."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return EncodedImage(out.getvalue())


# -- clips -----------------------------------------------------------------------------------------
KEY = "alice/vid_1/reference-frames/generated_frame_1_1.png"


def clip_request(
    picture: EncodedImage,
    prompt: str = "",
    *,
    seconds: int = 2,
    scene: int = 1,
    feeling: str = "Vibrant",
) -> ClipRequest:
    """Return a request to animate an image."""
    return ClipRequest(
        image=picture,
        image_key=KEY,
        prompt=prompt,
        ratio="1280:720",
        seconds=seconds,
        scene=scene,
        mood=mood(feeling),
        model="camera-1",
        seed=7,
        client_token=f"att_{scene}",
    )


def animate(
    picture: EncodedImage,
    target: Path,
    prompt: str = "",
    *,
    seconds: int = 2,
    scene: int = 1,
    feeling: str = "Vibrant",
) -> JobRef:
    """Animate an image into `target` with the offline camera; return the job."""
    camera = OfflineCamera(ProviderContext(store=InMemoryMediaStore({KEY: picture.data})))
    request = clip_request(picture, prompt, seconds=seconds, scene=scene, feeling=feeling)
    job = JobRef.from_json(camera.submit(request).as_json())
    camera.fetch(job, camera.poll(job), target)
    return job


def greys(path: Path, size: tuple[int, int]) -> list[bytes]:
    """Decode a clip and return its frames as grey bytes, row by row."""
    raw = path.with_suffix(".grey")
    ffmpeg.run(["-i", str(path), "-pix_fmt", "gray", "-f", "rawvideo", "-y", str(raw)], timeout=60)
    data, frame_size = raw.read_bytes(), size[0] * size[1]
    raw.unlink()
    return [data[i : i + frame_size] for i in range(0, len(data), frame_size)]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG by name, the last one of each name."""
    chunks_by_name, offset = {}, 8
    while offset + 8 <= len(data):
        (length,) = struct.unpack(">I", data[offset : offset + 4])
        chunks_by_name[data[offset + 4 : offset + 8]] = data[offset + 8 : offset + 8 + length]
        offset += 12 + length
    return chunks_by_name
