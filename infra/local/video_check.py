"""Looks at a downloaded MP4 with the eyes of a player: order of its parts, and every frame."""

import hashlib
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from infra.local.errors import LocalCloudError

DURATION_TOLERANCE = 0.2  # seconds


@dataclass(frozen=True)
class VideoFacts:
    """What decoding the whole file found."""

    frames: int
    duration_seconds: float
    size_bytes: int


def check_video(
    path: Path, *, size_bytes: int, sha256: str, duration_seconds: float | None = None
) -> VideoFacts:
    """Compare the file with what the API said of it, and decode all of it.

    Raises LocalCloudError that says which promise the file breaks.
    """
    data = path.read_bytes()
    if len(data) != size_bytes:
        raise LocalCloudError(f"{path} has {len(data)} bytes, the API said {size_bytes}.")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise LocalCloudError(f"{path} does not have the SHA-256 that the API named.")
    parts = boxes(data)
    if parts[:1] != ["ftyp"]:
        raise LocalCloudError(f"{path} is not an MP4 (it begins with {parts[:1]}).")
    if "moov" not in parts or "mdat" not in parts or parts.index("moov") > parts.index("mdat"):
        raise LocalCloudError(f"{path} cannot start to play before it has loaded: {parts}.")
    facts = decode(path)
    wrong = duration_seconds is not None and (
        abs(facts.duration_seconds - duration_seconds) > DURATION_TOLERANCE
    )
    if wrong:
        raise LocalCloudError(
            f"{path} lasts {facts.duration_seconds:.2f} s, the API said {duration_seconds} s."
        )
    return facts


def boxes(data: bytes) -> list[str]:
    """The names of the top-level boxes, in order; stops at the first that is cut short."""
    names: list[str] = []
    offset = 0
    while offset + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, offset)
        if size == 1 and offset + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, offset + 8)
        if size == 0:
            size = len(data) - offset
        if size < 8 or offset + size > len(data):
            break
        names.append(name.decode("latin-1"))
        offset += size
    return names


def decode(path: Path) -> VideoFacts:
    """Decode every frame. Raises LocalCloudError with ffmpeg's words if that fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-xerror", "-i", path]
    options = ["-map", "0:v:0", "-f", "null", "-progress", "pipe:1", "-"]
    done = subprocess.run(
        [*map(str, command), *options], check=False, capture_output=True, text=True
    )
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    frames = int(facts.get("frame", "0"))
    if done.returncode != 0 or done.stderr.strip() or frames == 0:
        raise LocalCloudError(f"{path} does not decode: {done.stderr.strip() or 'no frames'}")
    return VideoFacts(frames, int(facts["out_time_us"]) / 1e6, path.stat().st_size)
