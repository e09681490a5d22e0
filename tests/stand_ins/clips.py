"""Real clips: H.264 in MP4, 24 fps, with the requested size and duration."""

import os
import subprocess
from pathlib import Path
from threading import Lock

import imageio_ffmpeg

_FPS = 24
_lock = Lock()


def make(
    folder: Path, size: tuple[int, int], seconds: float, colour: tuple[int, int, int]
) -> bytes:
    """Return a clip of one colour with a white bar that moves from left to right.

    Clips are cached in `folder` by size, seconds and colour.
    """
    width, height = size
    paint = "0x{:02x}{:02x}{:02x}".format(*colour)
    path = folder / f"{width}x{height}-{seconds:g}-{paint}.mp4"
    with _lock:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            bar = f"drawbox=x=0:y=0:w={width // 16}:h={height}:c=white:t=fill"
            move = f"scroll=h=-{1 / (_FPS * seconds):.6f}"
            # Several stand-in processes may share the folder.
            half = path.with_suffix(f".{os.getpid()}")
            subprocess.run(
                [
                    *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"),
                    *("-f", "lavfi", "-i", f"color=c={paint}:s={width}x{height}:r={_FPS}"),
                    *("-t", f"{seconds}", "-vf", f"{bar},{move}", "-c:v", "libx264"),
                    *("-preset", "superfast"),
                    *("-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(half)),
                ],
                check=True,
                timeout=60,
            )
            half.rename(path)
    return path.read_bytes()
