"""Other ways to merge clips, for comparison."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from layers.lock import ROOT
from tests.benchmarks.clips import FFMPEG

_MOVIEPY = "moviepy==2.2.1"
_ENVIRONMENT = ROOT / "build" / "bench" / "moviepy"
_PROGRAM = """
import sys
from moviepy import VideoFileClip, concatenate_videoclips
*clips, target = sys.argv[1:]
opened = [VideoFileClip(path) for path in clips]
joined = concatenate_videoclips(opened)
joined.write_videofile(target, codec="libx264", audio_codec="aac", logger=None)
"""


def cat(clips: Sequence[Path], target: Path) -> None:
    """Concatenate the bytes of the clips, the lower bound of reading and writing."""
    with target.open("wb") as out:
        subprocess.run(["cat", *map(str, clips)], stdout=out, check=True)


def concat(clips: Sequence[Path], target: Path) -> None:
    """Concatenate with ffmpeg's stream copy and the index at the start."""
    _ffmpeg(clips, target, "-c", "copy", "-movflags", "+faststart")


def encode(clips: Sequence[Path], target: Path) -> None:
    """Transcode everything once to 1280 x 720 at 24 fps."""
    inputs = [part for clip in clips for part in ("-i", str(clip))]
    fit = "scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:-1:-1,setsar=1,fps=24"
    graph = [f"[{n}:v]{fit}[v{n}]" for n in range(len(clips))]
    streams = "".join(f"[v{n}]" for n in range(len(clips)))
    graph.append(f"{streams}concat=n={len(clips)}:v=1:a=0[out]")
    command = [FFMPEG, "-v", "error", *inputs, "-filter_complex", ";".join(graph), "-map", "[out]"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-movflags", "+faststart"]
    subprocess.run([*command, "-y", str(target)], check=True)


def moviepy() -> Path | None:
    """Return a Python with moviepy in its own environment, or None if it cannot be installed."""
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(_ENVIRONMENT, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", _MOVIEPY]
        if subprocess.run(pip, check=False).returncode != 0:
            shutil.rmtree(_ENVIRONMENT)
            print(f"{_MOVIEPY} cannot be installed and is skipped", file=sys.stderr)
            return None
    return python


def with_moviepy(python: Path, clips: Sequence[Path], target: Path) -> None:
    """Merge with moviepy, as many other projects do."""
    command = [str(python), "-c", _PROGRAM, *map(str, clips), str(target)]
    # moviepy writes the audio into its working directory and leaves it there if interrupted.
    home = target.parent
    subprocess.run(command, check=True, env={"IMAGEIO_FFMPEG_EXE": FFMPEG}, cwd=home)


def _ffmpeg(clips: Sequence[Path], target: Path, *options: str) -> None:
    listing = target.with_suffix(".txt")
    listing.write_text("".join(f"file {path.name}\n" for path in clips))
    command = [FFMPEG, "-v", "error", "-f", "concat", "-safe", "1", "-i", str(listing), *options]
    subprocess.run([*command, "-y", str(target)], check=True)
