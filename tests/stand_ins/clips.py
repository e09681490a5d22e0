"""Real clips: H.264 in MP4, 24 pictures a second, of the right size and length."""

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
    """Return a clip: one colour, and a white bar that moves from left to right.

    Made once for each (size, seconds, colour) and kept in `folder`.
    """
    width, height = size
    paint = "0x{:02x}{:02x}{:02x}".format(*colour)
    path = folder / f"{width}x{height}-{seconds:g}-{paint}.mp4"
    with _lock:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            bar = f"drawbox=x=0:y=0:w={width // 16}:h={height}:c=white:t=fill"
            move = f"scroll=h=-{1 / (_FPS * seconds):.6f}"
            # Stand-ins that share the folder are processes of their own.
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
