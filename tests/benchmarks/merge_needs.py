"""Memory, disk, time and price of the function merge, on one core and on two.

Lambda gives a function processors in proportion to its memory, and charges for memory and time.
"""

import tempfile
from pathlib import Path

from common.domain.output import BLUR, PLAIN, Format, Output, Shape, Transition
from infra.config import SIZES
from merge import assemble
from tests.benchmarks.clips import FPS, collected, copies, make
from tests.benchmarks.footprint import Footprint, measure
from tests.benchmarks.report import table

_CORE = 1769  # MiB of memory for each vCPU
_DOLLARS = 0.0000133334  # per GiB-second on arm64, us-east-1
_TALL = Shape("9:16")
# Name: number of clips, seconds of each, bit rate, and output.
_CASES: dict[str, tuple[int, int, str, Output]] = {
    "60 clips of 10 s at 8 Mbit/s, joined": (60, 10, "8000k", PLAIN),
    "12 of 2 s, crossfades, and 9:16 beside it": (
        12,
        2,
        "8000k",
        Output(transition=Transition.CROSSFADE, renditions=(_TALL,)),
    ),
    "6 of 2 s, WebM in 9:16 on a blur": (
        6,
        2,
        "8000k",
        Output(format=Format.WEBM, shape=_TALL, background=BLUR),
    ),
    "6 of 2 s at 1920x1080, through black": (
        6,
        2,
        "8000k",
        Output(shape=Shape(size=(1920, 1080)), transition=Transition.FADE),
    ),
}
_SMALLEST = {"1 clip of 1 s, joined": (1, 1, "1000k", PLAIN)}


def main(*, smallest: bool = False) -> None:
    """Print a line for each kind of merge and number of cores. All clips have audio."""
    rows = []
    for name, (count, seconds, bits, output) in (_SMALLEST if smallest else _CASES).items():
        for cores in (1, 2):
            took = _measure(count, seconds, bits, output, cores)
            thousand = 1000 * took.seconds * _DOLLARS * _CORE * cores / 1024
            rows.append(
                [
                    *(name, str(cores), f"{took.seconds:.1f}", f"{took.processor:.1f}"),
                    *(f"{thousand:.2f}", f"{took.memory:.0f}", f"{took.scratch:.0f}"),
                ]
            )
    size = SIZES["merge"]
    table(
        f"What the merge needs, of {size.memory} MiB of memory and {size.storage} MiB of disk",
        ["work", "cores", "seconds", "processor s", "USD/1000", "memory", "disk"],
        rows,
    )


def _measure(count: int, seconds: int, bits: str, output: Output, cores: int) -> Footprint:
    with tempfile.TemporaryDirectory() as name:
        room = Path(name) / "room"
        clip = make(Path(name) / "clip.mp4", sound=True, seconds=seconds, bits=bits)
        clips = collected(copies(clip, count, room), seconds * FPS)
        return measure(lambda: assemble.merge_clips(clips, output, room), room, cores=cores)
