"""The still that stands for a finished video."""

from pathlib import Path

from common import ffmpeg


def make(video: Path, target: Path) -> None:
    """Write the first picture of the video as JPEG."""
    ffmpeg.run(
        ["-f", "mov", "-i", str(video), "-frames:v", "1", "-q:v", "3", "-y", str(target)],
        timeout=60,
    )
