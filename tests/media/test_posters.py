"""Posters, thumbnails and previews show something, if there is something to see."""

import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from common.domain.output import PLAIN, Output, Shape, Transition
from merge import deliverables
from merge.audio.mix import Track
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip, SceneTreatment
from tests.media.coded import FFMPEG

SECONDS = 2
# What is done to moving bars: the scene begins (or is) without anything to see.
SCENES = {
    "fades in": "fade=in:0:36",
    "fades in from white": "fade=in:0:36:color=white",
    "black": "drawbox=t=fill:c=black",
    "one bright picture": "drawbox=t=fill:c=black:enable='not(eq(n,31))'",
    "ends black": "fade=out:12:24",
    "plain": "null",
}


def clip(folder: Path, scene: int, name: str) -> Clip:
    path = folder / f"clip_{scene}.mp4"
    source = f"testsrc2=s=320x180:r=24:d={SECONDS},{SCENES[name]}"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", "-y", str(path)], check=True)
    return Clip(path, SECONDS * 24)


def produce(folder: Path, output: Output, *names: str) -> Deliverables:
    clips = {scene: clip(folder, scene, name) for scene, name in enumerate(names, 1)}
    order = DeliverablesRequest(clips, output, {}, Track({}), preview="gif")
    return deliverables.render_deliverables(order, folder)


def is_seen(path: Path) -> bool:
    """Whether most of the picture is neither black nor all of one value."""
    with Image.open(path) as image:
        image.seek(0)
        grey = image.convert("L").resize((32, 18))
    return ImageStat.Stat(grey).mean[0] > 40 and ImageStat.Stat(grey).stddev[0] > 20


def pictures(product: Deliverables, *kinds: str) -> list[tuple[str, int | None, bool]]:
    return [
        (made.kind, made.scene, is_seen(made.path)) for made in product.files if made.kind in kinds
    ]


OUTPUTS = {
    "copied": PLAIN,
    "encoded": Output(shape=Shape(size=(160, 90))),
    "overlapping": Output(transition=Transition.FADE, transition_seconds=0.5),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_nothing_blank_is_shown_where_there_is_something_to_see(kind: str, tmp_path: Path) -> None:
    names = ["fades in", "fades in from white", "one bright picture", "ends black", "plain"]
    product = produce(tmp_path, OUTPUTS[kind], *names)
    is_copied = {part.how is SceneTreatment.COPIED for part in product.cut.parts}
    assert is_copied == {kind == "copied"}
    found = pictures(product, "poster", "thumbnail", "preview")
    assert found == [
        ("poster", None, True),
        ("poster", None, True),
        *(("thumbnail", scene, True) for scene in range(1, 6)),
        ("preview", None, True),
    ]


def test_a_black_scene_in_front_is_passed_over(tmp_path: Path) -> None:
    product = produce(tmp_path, PLAIN, "black", "fades in")
    assert pictures(product, "poster", "preview") == [
        ("poster", None, True),
        ("poster", None, True),
        ("preview", None, True),
    ]
    assert pictures(product, "thumbnail") == [("thumbnail", 1, False), ("thumbnail", 2, True)]


def test_a_video_that_is_black_throughout_has_a_poster_all_the_same(tmp_path: Path) -> None:
    product = produce(tmp_path, PLAIN, "black")
    assert [seen for _, _, seen in pictures(product, "poster", "thumbnail", "preview")] == [
        False
    ] * 4


def test_a_poster_is_the_first_picture_if_that_can_be_seen(tmp_path: Path) -> None:
    product = produce(tmp_path, PLAIN, "plain", "plain")
    poster = next(made.path for made in product.files if made.kind == "poster")
    first = tmp_path / "first.png"
    subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(product.cut.path), "-frames:v", "1", "-y", str(first)],
        check=True,
    )
    with Image.open(poster) as one, Image.open(first) as other:
        pairs = zip(one.convert("L").tobytes(), other.convert("L").tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / (320 * 180) < 3
