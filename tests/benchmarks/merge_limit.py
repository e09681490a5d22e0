"""The estimate of a merge at admission (`common.domain.merge_estimate`) and its measured footprint.

Every request has narration, music and normalized loudness, the worst case. `MERGE_LIMIT=whole` runs
the largest admitted requests completely, which takes a quarter of an hour each on two cores; a
number (`MERGE_LIMIT=0.3`) runs this share of each, with scenes of the same length. By default,
scenes of two seconds are merged. The time of the whole is extrapolated by the number of scenes.
`MERGE_CASES=1,3` selects cases.
"""

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from common.domain.merge_estimate import MOST_PROCESSOR_SECONDS, Merge
from common.domain.output import BLUR, Format, Loudness, Output, Shape, Transition
from common.domain.video import MAX_SCENES
from infra.config import SIZES
from merge import deliverables
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import DeliverablesRequest
from offline.tts import program
from tests.benchmarks.clips import FFMPEG, FPS, collected, copies, make
from tests.benchmarks.footprint import Footprint, measure
from tests.benchmarks.report import table

_SECONDS = 10
_SOME_SCENES, _SOME_SECONDS = 3, 2
_NATURAL = (1280, 720)
_TEXT = "A few words for the scene that are spoken and drawn into the picture."
_FADES = Output(transition=Transition.CROSSFADE, background=BLUR, loudness=Loudness.NORMALIZED)
_CASES = {
    "crossfades, 9:16 beside it on a blur": replace(_FADES, renditions=(Shape("9:16"),)),
    "3840x2160, crossfades": replace(_FADES, shape=Shape(size=(3840, 2160))),
    "1080x1920 on a blur, captions, crossfades": replace(
        _FADES, shape=Shape(size=(1080, 1920)), captions_burned=True
    ),
    "WebM in 1920x1080": replace(
        _FADES,
        transition=Transition.CUT,
        format=Format.WEBM,
        shape=Shape(size=(1920, 1080)),
    ),
}


def main(*, smallest: bool = False) -> None:
    """Print a line for each kind of request."""
    share = os.environ.get("MERGE_LIMIT", "")
    chosen = [int(number) for number in os.environ.get("MERGE_CASES", "").split(",") if number]
    scenes, seconds = _SOME_SCENES, _SOME_SECONDS
    if smallest:
        share, chosen, scenes, seconds = "", [1], 1, 1
    rows = []
    for number, (name, output) in enumerate(_CASES.items(), 1):
        if chosen and number not in chosen:
            continue
        most = _most(output)
        admitted = Merge(output, _NATURAL, most, _SECONDS)
        run = Merge(output, _NATURAL, scenes, seconds)
        if share:
            part = 1 if share == "whole" else float(share)
            run = replace(admitted, scenes=max(1, round(most * part)))
        what = f"{run.scenes} of {run.seconds:g} s"
        print(
            f"{name}: {what}, estimated {run.processor_seconds:.0f} s, "
            f"of {most} that are admitted with {admitted.processor_seconds:.0f} s",
            flush=True,
        )
        took = _measure(run)
        whole = took.processor * admitted.processor_seconds / run.processor_seconds
        print(
            f"  took {took.processor:.0f} processor-seconds, {took.seconds:.0f} s on the clock, "
            f"{took.memory:.0f} MiB",
            flush=True,
        )
        estimate = f"{run.processor_seconds:.0f}"
        figures = (took.processor, took.memory, took.scratch, whole, whole / 1.7)
        rows.append([name, str(most), what, estimate, *(f"{figure:.0f}" for figure in figures)])
    size = SIZES["merge"]
    table(
        f"The heaviest merges of {_SECONDS} s scenes that are admitted ({MOST_PROCESSOR_SECONDS} s "
        f"estimated), in {size.timeout} s on 1.7 processors and {size.memory} MiB",
        [
            *("work", "admitted", "run", "estimate", "processor s", "memory", "disk"),
            *("whole: processor s", "on 1.7"),
        ],
        rows,
    )


def _most(output: Output) -> int:
    """Return the maximum number of admitted scenes."""
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
        spoken, music = Path(name) / "spoken.wav", Path(name) / "music.mp3"
        spoken.write_bytes(program.speak(_TEXT, "en-us+f2", 160).as_wav())
        source = ("-f", "lavfi", "-i", "anoisesrc=c=pink:r=44100:a=0.4:d=180")
        subprocess.run([FFMPEG, "-v", "error", *source, "-y", str(music)], check=True)
        track = AddedAudio(
            dict.fromkeys(clips, spoken),
            Music(music, volume=0.3, fade_in=1, fade_out=1, loop=True, duck=True),
        )
        order = DeliverablesRequest(clips, run.output, dict.fromkeys(clips, _TEXT), track)
        return measure(lambda: deliverables.render_deliverables(order, folder), folder, cores=2)
