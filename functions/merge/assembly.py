"""Joining clips into one video: inspect, join, verify. Works on local files only."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

from common import ffmpeg
from common.errors import MediaError
from common.output import PLAIN, Output
from merge import timeline
from merge.cut import Clip, Cut, How, Part, Subtitles

_WORKERS = 4
_JOIN_SECONDS = 600


def join(
    clips: Mapping[int, Clip],
    output: Output,
    scratch: Path,
    *,
    subtitles: Subtitles | None = None,
    fonts_dir: Path | None = None,
) -> Cut:
    """Join the clips (by scene number) in order, without re-encoding, the index first.

    Raises MediaError, which names the clip, when one is broken or does not match the others.
    """
    if output != PLAIN or subtitles is not None or fonts_dir is not None:
        raise MediaError("Only plain cuts are made; ask for no output.")
    order = sorted(clips)
    with ThreadPoolExecutor(_WORKERS) as pool:
        facts = list(pool.map(lambda scene: _inspect(scene, clips[scene].path), order))
    wanted = timeline.plan(list(zip(order, facts, strict=True)))
    # File names are our own and hold no quotes; `-safe 1` refuses anything but plain names.
    listing = scratch / "clips.txt"
    listing.write_text("".join(f"file {clips[scene].path.name}\n" for scene in order))
    path = scratch / "final.mp4"
    ffmpeg.run(
        [
            *("-f", "concat", "-safe", "1", "-protocol_whitelist", "file,pipe"),
            *("-i", str(listing), "-map", "0:v:0", "-c", "copy", "-movflags", "+faststart"),
            *("-y", str(path)),
        ],
        timeout=_JOIN_SECONDS,
    )
    timeline.check(ffmpeg.inspect(path), wanted)
    if not ffmpeg.starts_at_once(path):
        raise MediaError("The joined video's index is not in front.", code="merge.index")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    parts, start = [], 0.0
    for scene, found in zip(order, facts, strict=True):
        parts.append(Part(scene, How.COPIED, "", start, found.seconds, found.frames))
        start += found.seconds
    first = facts[0]
    return Cut(
        path=path,
        frames=wanted.frames,
        seconds=wanted.seconds,
        size_bytes=path.stat().st_size,
        sha256=digest,
        size=(first.width, first.height),
        fps=Fraction(first.frames / first.seconds).limit_denominator(1001),
        has_sound=False,
        parts=tuple(parts),
    )


def _inspect(scene: int, path: Path) -> ffmpeg.Facts:
    try:
        return ffmpeg.inspect(path)
    except MediaError as error:
        raise MediaError(
            f"The clip of scene {scene} is broken: {error.detail}", code="merge.broken_clip"
        ) from error
