"""Small real clips, encoded with the ffmpeg that the product uses."""

from pathlib import Path

from common.media import ffmpeg


def make(
    path: Path,
    *,
    seconds: float = 1,
    size: str = "320x180",
    fps: int = 24,
    grey: int = 128,
    codec: tuple[str, ...] = ("-c:v", "libx264", "-profile:v", "high", "-preset", "ultrafast"),
    sound: bool = False,
) -> Path:
    """Write a clip whose frames all have one grey value, which identifies it after a merge."""
    colour = f"0x{grey:02x}{grey:02x}{grey:02x}"
    audio = ["-f", "lavfi", "-i", f"sine=440:duration={seconds}"] if sound else []
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", f"color=c={colour}:s={size}:r={fps}:d={seconds}"),
            *audio,
            *(*codec, "-pix_fmt", "yuv420p", "-video_track_timescale", "12288"),
            *("-movflags", "+faststart", "-y", str(path)),
        ],
        timeout=30,
    )
    return path


def greys(path: Path) -> list[int]:
    """Decode the clip and return the grey value of each frame, in order."""
    out = path.with_suffix(".grey")
    ffmpeg.run(
        ["-i", str(path), "-vf", "scale=1:1,format=gray", "-f", "rawvideo", "-y", str(out)],
        timeout=60,
    )
    return list(out.read_bytes())
