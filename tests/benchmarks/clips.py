"""Clips for benchmarks, as real ones are: about 7 Mbit/s, with sound or without."""

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

from merge.models import Clip

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECONDS, FPS = 5, 24
_PICTURE = f"mandelbrot=s=1280x720:r={FPS}"  # detail everywhere


def make(
    path: Path,
    *,
    sound: bool,
    seconds: int = SECONDS,
    bits: str = "7500k",
    size: str = "",
    fps: int = FPS,
) -> Path:
    """Write one clip of 1280 x 720, or of another size and rate."""
    filters = [f"scale={size},setsar=1"] if size else []  # as a camera held upright makes it
    filters.append(f"fps={fps}")
    audio = ["-f", "lavfi", "-i", "anoisesrc=c=pink:r=48000:a=0.2"] if sound else []
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", _PICTURE, *audio, "-t", str(seconds)]
    command += ["-vf", ",".join(filters), "-c:v", "libx264", "-preset", "veryfast", "-b:v", bits]
    command += ["-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", "-movflags", "+faststart"]
    subprocess.run([*command, "-y", str(path)], check=True)
    return path


def copies(clip: Path, count: int, folder: Path) -> dict[int, Path]:
    """Write so many copies into the folder, by scene."""
    folder.mkdir(parents=True)
    made = {n: folder / f"clip_{n:03d}.mp4" for n in range(1, count + 1)}
    for path in made.values():
        shutil.copyfile(clip, path)
    return made


def collected(paths: dict[int, Path], frames: int = SECONDS * FPS) -> dict[int, Clip]:
    """Return them as the merge gets them: decoded and counted when they were collected."""
    return {n: Clip(path, frames) for n, path in paths.items()}
