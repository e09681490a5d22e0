"""Posters, thumbnails and previews avoid blank frames."""

import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from common.domain.output import PLAIN, Output, Shape, Transition
from merge import deliverables
from merge.audio.mix import AddedAudio
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip, SceneTreatment
from tests.media.coded import FFMPEG

SECONDS = 2
# Filters for a test pattern whose beginning, or all of it, is blank.
SCENES = {
    "fades in": "fade=in:0:36",
    "fades in from white": "fade=in:0:36:color=white",
    "black": "drawbox=t=fill:c=black",
    "one bright frame": "drawbox=t=fill:c=black:enable='not(eq(n,31))'",
    "ends black": "fade=out:12:24",
    "plain": "null",
}


def clip(folder: Path, scene: int, name: str) -> Clip:
    path = folder / f"clip_{scene}.mp4"
    source = f"testsrc2=s=320x180:r=24:d={SECONDS},{SCENES[name]}"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", "-y", str(path)], check=True)
    return Clip(path, SECONDS * 24)


def render(folder: Path, output: Output, *names: str) -> Deliverables:
    clips = {scene: clip(folder, scene, name) for scene, name in enumerate(names, 1)}
    request = DeliverablesRequest(clips, output, {}, AddedAudio({}), preview="gif")
    return deliverables.render_deliverables(request, folder)


def is_visible(path: Path) -> bool:
    """Return whether the image is neither dark nor uniform."""
    with Image.open(path) as image:
        image.seek(0)
        grey = image.convert("L").resize((32, 18))
    return ImageStat.Stat(grey).mean[0] > 40 and ImageStat.Stat(grey).stddev[0] > 20


def images_of(product: Deliverables, *kinds: str) -> list[tuple[str, int | None, bool]]:
    return [
        (file.kind, file.scene, is_visible(file.path))
        for file in product.files
        if file.kind in kinds
    ]


OUTPUTS = {
    "copied": PLAIN,
    "encoded": Output(shape=Shape(size=(160, 90))),
    "overlapping": Output(transition=Transition.FADE, transition_seconds=0.5),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_poster_thumbnail_and_preview_skip_blank_frames(kind: str, tmp_path: Path) -> None:
    names = ["fades in", "fades in from white", "one bright frame", "ends black", "plain"]
    product = render(tmp_path, OUTPUTS[kind], *names)
    is_copied = {part.how is SceneTreatment.COPIED for part in product.merged.parts}
    assert is_copied == {kind == "copied"}
    actual = images_of(product, "poster", "thumbnail", "preview")
    assert actual == [
        ("poster", None, True),
        ("poster", None, True),
        *(("thumbnail", scene, True) for scene in range(1, 6)),
        ("preview", None, True),
    ]


def test_poster_skips_black_first_scene(tmp_path: Path) -> None:
    product = render(tmp_path, PLAIN, "black", "fades in")
    assert images_of(product, "poster", "preview") == [
        ("poster", None, True),
        ("poster", None, True),
        ("preview", None, True),
    ]
    assert images_of(product, "thumbnail") == [("thumbnail", 1, False), ("thumbnail", 2, True)]


def test_black_video_still_has_poster(tmp_path: Path) -> None:
    product = render(tmp_path, PLAIN, "black")
    assert [visible for _, _, visible in images_of(product, "poster", "thumbnail", "preview")] == [
        False
    ] * 4


def test_poster_is_first_frame_if_visible(tmp_path: Path) -> None:
    product = render(tmp_path, PLAIN, "plain", "plain")
    poster = next(file.path for file in product.files if file.kind == "poster")
    first = tmp_path / "first.png"
    subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(product.merged.path), "-frames:v", "1", "-y", str(first)],
        check=True,
    )
    with Image.open(poster) as poster_image, Image.open(first) as first_image:
        pairs = zip(
            poster_image.convert("L").tobytes(), first_image.convert("L").tobytes(), strict=True
        )
        assert sum(abs(a - b) for a, b in pairs) / (320 * 180) < 3
