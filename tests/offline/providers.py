"""What the tests of the offline providers share: requests, a shelf of media, measuring."""

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageStat

from common.domain.errors import NotFound
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

FOX = "A red fox crosses a snowy forest to find her friend"


@dataclass
class Shelf:
    """A media store in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, data: bytes, media_type: str) -> None:
        self.objects[key] = data

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        self.put(key, path.read_bytes(), media_type)

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound("The media object is not there.")
        return self.objects[key]

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        return f"https://shelf.invalid/{key}"

    def location(self, key: str) -> str:
        return f"shelf://{key}"


def story(prompt: str = FOX, scenes: int = 6, *, seed: int = 7, feeling: str = "Calm") -> Story:
    """Let the offline storyteller tell."""
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
    """Return a wish for a picture."""
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
    """Let the offline painter paint."""
    return OfflinePainter().generate_image(request)


def opened(picture: EncodedImage) -> Image.Image:
    """Return the pixels of a picture (RGB)."""
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.convert("RGB")


def painted(
    prompt: str = FOX,
    *,
    style: Style = style("Cartoon"),  # noqa: B008 - a value, not a resource
    size: tuple[int, int] = (480, 270),
) -> Image.Image:
    """Return the pixels that the painter makes of a prompt."""
    return opened(paint(image_request(prompt, style=style, size=size)).picture)


def mean_colourfulness(image: Image.Image) -> float:
    """Return the mean saturation, 0 to 255."""
    return float(ImageStat.Stat(image.convert("HSV")).mean[1])


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean distance of two pictures of one size, 0 to 255, looked at from afar."""
    small = (32, 18)
    one, two = (image.resize(small, Image.Resampling.BOX) for image in (first, second))
    pairs = zip(one.tobytes(), two.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (small[0] * small[1] * 3)


def as_picture(image: Image.Image) -> EncodedImage:
    """Return pixels as a PNG without any chunk of ours."""
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
    """Return a wish for a clip of a picture."""
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


def film(
    picture: EncodedImage,
    target: Path,
    prompt: str = "",
    *,
    seconds: int = 2,
    scene: int = 1,
    feeling: str = "Vibrant",
) -> JobRef:
    """Let the offline camera film a picture into `target`; returns the job."""
    camera = OfflineCamera(ProviderContext(store=Shelf({KEY: picture.data})))
    wish = clip_request(picture, prompt, seconds=seconds, scene=scene, feeling=feeling)
    job = JobRef.from_json(camera.submit(wish).as_json())
    camera.fetch(job, camera.poll(job), target)
    return job


def greys(path: Path, size: tuple[int, int]) -> list[bytes]:
    """Decode a clip and return its pictures as grey bytes, row by row."""
    raw = path.with_suffix(".grey")
    ffmpeg.run(["-i", str(path), "-pix_fmt", "gray", "-f", "rawvideo", "-y", str(raw)], timeout=60)
    data, step = raw.read_bytes(), size[0] * size[1]
    raw.unlink()
    return [data[i : i + step] for i in range(0, len(data), step)]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG by name; the last of a name wins."""
    found, at = {}, 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return found
