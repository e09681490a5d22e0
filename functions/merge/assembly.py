"""Joining clips into one video: inspect, join, verify. Works on local files only."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common import ffmpeg
from common.errors import MediaError
from merge import timeline

_WORKERS = 4
_JOIN_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished video on disk, verified."""

    path: Path
    poster: Path
    frames: int
    seconds: float
    size_bytes: int
    sha256: str


def join(clips: Mapping[int, Path], scratch: Path) -> Cut:
    """Join the clips (by scene number) in order, without re-encoding, the index first.

    Raises MediaError, which names the clip, when one is broken or does not match the others.
    """
    order = sorted(clips)
    with ThreadPoolExecutor(_WORKERS) as pool:
        facts = list(pool.map(lambda scene: _inspect(scene, clips[scene]), order))
    wanted = timeline.plan(list(zip(order, facts, strict=True)))
    # File names are our own and hold no quotes; `-safe 1` refuses anything but plain names.
    listing = scratch / "clips.txt"
    listing.write_text("".join(f"file {clips[scene].name}\n" for scene in order))
    path, poster = scratch / "final.mp4", scratch / "final.jpg"
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
    ffmpeg.run(
        ["-f", "mov", "-i", str(path), "-frames:v", "1", "-q:v", "3", "-y", str(poster)],
        timeout=60,
    )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Cut(path, poster, wanted.frames, wanted.seconds, path.stat().st_size, digest)


def _inspect(scene: int, path: Path) -> ffmpeg.Facts:
    try:
        return ffmpeg.inspect(path)
    except MediaError as error:
        raise MediaError(
            f"The clip of scene {scene} is broken: {error.detail}", code="merge.broken_clip"
        ) from error
