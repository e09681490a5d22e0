"""Properties of finished videos: brightness of HDR, posters and frame rates, before and now.

"Before" is the result of commit c278c28 for the same clips.
"""

import tempfile
from pathlib import Path

from PIL import Image, ImageStat

from common.domain.errors import VideoError
from common.domain.output import PLAIN
from merge import assemble, deliverables
from merge.audio.mix import AddedAudio
from merge.deliverables import DeliverablesRequest
from merge.models import Clip
from tests.benchmarks.report import table
from tests.media import patches
from tests.media.test_foreign import write_jittering_clip
from tests.media.test_posters import SCENES, clip

_BEFORE = {
    "colours in Display P3": "255 128 191/143/115 234/51/36",
    "colours in Display P3, sRGB": "255 128 193/143/115 234/51/34",
    "colours in PQ": "158 91 132/95/76 158/3/0",
    "colours in PQ, HDR10": "158 91 132/95/76 158/3/0",
    "colours in HLG": "158 91 135/91/69 169/0",
    "colours in PQ by half": "158 91 132/95/76 158/3/0",
    "colours in HLG by half": "158 91 135/91/69 169/0",
    "poster: fades in": "0, 0",
    "poster: fades in from white": "255, 0",
    "poster: one bright picture": "0, 0",
    "24.05 fps, write_jittering_clip": "25",
    "25.02 fps, write_jittering_clip": "29.97",
    "30.02 fps, write_jittering_clip": "48",
    "60.1 fps, write_jittering_clip": "59.9401",
}
_SHOWN = ("white", "grey", "skin", "red")


def main(*, smallest: bool = False) -> None:
    """Print a line for each clip."""
    some = slice(1) if smallest else slice(None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            *(
                [f"colours in {coding}", "white, grey, skin, red", _colours(folder, coding)]
                for coding in list(patches.CODINGS)[some]
            ),
            *(
                [f"poster: {scene}", "mean, deviation", _poster(folder, scene)]
                for scene in list(SCENES)[some]
            ),
            *(
                [f"{rate} fps, write_jittering_clip", "fps", _rate(folder, rate)]
                for rate in [24.05, 25.02, 30.02, 60.1][some]
            ),
        ]
    table(
        "Finished videos",
        ["clip", "what", "before", "now"],
        [[what, unit, _BEFORE.get(what, "the same"), now] for what, unit, now in rows],
    )


def _colours(folder: Path, coding: str) -> str:
    workspace = tempfile.mkdtemp(dir=folder)
    source = patches.clip(Path(workspace) / "own.mp4", coding)
    try:
        displayed = patches.displayed_colours(
            assemble.merge_clips({1: Clip(source)}, PLAIN, Path(workspace)).path
        )
    except VideoError as error:
        return error.detail[:40]
    return " ".join("/".join(map(str, dict.fromkeys(displayed[name]))) for name in _SHOWN)


def _poster(folder: Path, scene: str) -> str:
    workspace = Path(tempfile.mkdtemp(dir=folder))
    request = DeliverablesRequest({1: clip(workspace, 1, scene)}, PLAIN, {}, AddedAudio({}))
    product = deliverables.render_deliverables(request, workspace)
    path = next(file.path for file in product.files if file.kind == "poster")
    with Image.open(path) as image:
        measured = ImageStat.Stat(image.convert("L"))
    return f"{measured.mean[0]:.0f}, {measured.stddev[0]:.0f}"


def _rate(folder: Path, rate: float) -> str:
    workspace = Path(tempfile.mkdtemp(dir=folder))
    merged = assemble.merge_clips(
        {1: Clip(write_jittering_clip(workspace, rate))}, PLAIN, workspace
    )
    return f"{float(merged.fps):g}"
