"""What admission says that a merge needs (`common.merge_needs`), and what it takes.

`MERGE_LIMIT=whole` runs the heaviest requests that are admitted to their end, which takes a quarter
of an hour each on two processors. Without it so many scenes are joined that a minute is enough;
the time grows with their number, so what the whole takes is told from that.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from common.merge_needs import MOST_PROCESSOR_SECONDS, Merge
from common.output import BLUR, Format, Output, Shape, Transition
from common.video import MAX_SCENES
from infra.config import SIZES
from merge import production
from merge.production import Order
from merge.soundtrack import Track
from tests.benchmarks.clips import FPS, collected, copies, make
from tests.benchmarks.footprint import Footprint, measure
from tests.benchmarks.report import table

_SECONDS = 10
_SOME_SCENES, _SOME_SECONDS = 3, 2
_NATURAL = (1280, 720)
_FADES = Output(transition=Transition.CROSSFADE, background=BLUR)
_CASES = {
    "crossfades, 9:16 beside it on a blur": replace(_FADES, renditions=(Shape("9:16"),)),
    "3840x2160, crossfades": replace(_FADES, shape=Shape(size=(3840, 2160))),
    "1080x1920 on a blur, captions, crossfades": replace(
        _FADES, shape=Shape(size=(1080, 1920)), captions_burned=True
    ),
    "WebM in 1920x1080": Output(format=Format.WEBM, shape=Shape(size=(1920, 1080))),
}


def main() -> None:
    """Print one line for each kind of request."""
    is_whole = os.environ.get("MERGE_LIMIT") == "whole"
    rows = []
    for name, output in _CASES.items():
        most = _most(output)
        admitted = Merge(output, _NATURAL, most, _SECONDS)
        run = admitted if is_whole else Merge(output, _NATURAL, _SOME_SCENES, _SOME_SECONDS)
        took = _measure(run)
        whole = took.processor * (most * _SECONDS) / (run.scenes * run.seconds)
        rows.append(
            [
                *(name, str(most), f"{admitted.processor_seconds:.0f}"),
                *(f"{run.scenes} of {run.seconds:g} s", f"{took.processor:.0f}"),
                *(
                    f"{took.memory:.0f}",
                    f"{took.scratch:.0f}",
                    f"{whole:.0f}",
                    f"{whole / 1.7:.0f}",
                ),
            ]
        )
    size = SIZES["merge"]
    table(
        f"The heaviest merges of {_SECONDS} s scenes that are admitted ({MOST_PROCESSOR_SECONDS} s "
        f"estimated), in {size.timeout} s on 1.7 processors and {size.memory} MiB",
        [
            *("work", "scenes", "estimate", "run", "processor s", "memory", "disk"),
            *("whole: processor s", "on 1.7"),
        ],
        rows,
    )


def _most(output: Output) -> int:
    """Return how many scenes are admitted."""
    fits = (
        scenes
        for scenes in range(1, MAX_SCENES + 1)
        if Merge(output, _NATURAL, scenes, _SECONDS).processor_seconds > MOST_PROCESSOR_SECONDS
    )
    return next(fits, MAX_SCENES + 1) - 1


def _measure(run: Merge) -> Footprint:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        seconds = round(run.seconds)
        clip = make(Path(name) / "clip.mp4", sound=True, seconds=seconds)
        clips = collected(copies(clip, run.scenes, folder), seconds * FPS)
        texts = dict.fromkeys(clips, "A few words for the scene that are drawn into the picture.")
        order = Order(clips, run.output, texts, Track({}))
        return measure(lambda: production.produce(order, folder), folder, cores=2)
