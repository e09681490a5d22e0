"""Validation of a downloaded MP4: size, hash, order of boxes, and decoding of every frame."""

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
    """Results of decoding a whole file."""

    frames: int
    duration_seconds: float
    size_bytes: int


def check_video(
    path: Path, *, size_bytes: int, sha256: str, duration_seconds: float | None = None
) -> VideoFacts:
    """Compare the file with the API's description of it, and decode every frame.

    Raises LocalCloudError if they differ or the file is not valid.
    """
    data = path.read_bytes()
    if len(data) != size_bytes:
        raise LocalCloudError(f"{path} has {len(data)} bytes; the API reported {size_bytes}.")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise LocalCloudError(f"{path} does not have the SHA-256 that the API reported.")
    names = boxes(data)
    if names[:1] != ["ftyp"]:
        raise LocalCloudError(f"{path} is not an MP4 (it begins with {names[:1]}).")
    if "moov" not in names or "mdat" not in names or names.index("moov") > names.index("mdat"):
        raise LocalCloudError(f"{path} cannot start to play before it has loaded: {names}.")
    facts = decode(path)
    differs = duration_seconds is not None and (
        abs(facts.duration_seconds - duration_seconds) > DURATION_TOLERANCE
    )
    if differs:
        raise LocalCloudError(
            f"{path} lasts {facts.duration_seconds:.2f} s; the API reported {duration_seconds} s."
        )
    return facts


def boxes(data: bytes) -> list[str]:
    """Return the names of the top-level boxes in order, up to the first truncated one."""
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
    """Decode every frame; raises LocalCloudError with ffmpeg's output if that fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-xerror", "-i", path]
    options = ["-map", "0:v:0", "-f", "null", "-progress", "pipe:1", "-"]
    process = subprocess.run(
        [*map(str, command), *options], check=False, capture_output=True, text=True
    )
    facts = dict(line.split("=", 1) for line in process.stdout.splitlines() if "=" in line)
    frames = int(facts.get("frame", "0"))
    if process.returncode != 0 or process.stderr.strip() or frames == 0:
        raise LocalCloudError(f"{path} cannot be decoded: {process.stderr.strip() or 'no frames'}")
    return VideoFacts(frames, int(facts["out_time_us"]) / 1e6, path.stat().st_size)
