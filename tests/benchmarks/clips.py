"""Realistic clips for benchmarks: about 7 Mbit/s, with or without audio."""

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

from merge.models import Clip

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECONDS, FPS = 5, 24
_PICTURE = f"mandelbrot=s=1280x720:r={FPS}"  # detail in every part of the frame


def make(
    path: Path,
    *,
    sound: bool,
    seconds: int = SECONDS,
    bits: str = "7500k",
    size: str = "",
    fps: int = FPS,
) -> Path:
    """Write a clip of 1280 x 720, or of another size and rate."""
    filters = [f"scale={size},setsar=1"] if size else []  # like a portrait video
    filters.append(f"fps={fps}")
    audio = ["-f", "lavfi", "-i", "anoisesrc=c=pink:r=48000:a=0.2"] if sound else []
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", _PICTURE, *audio, "-t", str(seconds)]
    command += ["-vf", ",".join(filters), "-c:v", "libx264", "-preset", "veryfast", "-b:v", bits]
    command += ["-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", "-movflags", "+faststart"]
    subprocess.run([*command, "-y", str(path)], check=True)
    return path


def copies(clip: Path, count: int, folder: Path) -> dict[int, Path]:
    """Write `count` copies into the folder; return them by scene."""
    folder.mkdir(parents=True)
    paths = {n: folder / f"clip_{n:03d}.mp4" for n in range(1, count + 1)}
    for path in paths.values():
        shutil.copyfile(clip, path)
    return paths


def collected(paths: dict[int, Path], frames: int = SECONDS * FPS) -> dict[int, Clip]:
    """Return the clips as the merge receives them, with known frame counts."""
    return {n: Clip(path, frames) for n, path in paths.items()}
