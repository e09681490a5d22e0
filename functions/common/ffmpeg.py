"""The ffmpeg program: run it under limits, and learn what is in a file.

There is no ffprobe in the layer. The `framecrc` muxer says the same in a form made for programs:
for each stream its codec, time base, size and the checksum of its decoder set-up, then one line
for each packet or picture (https://ffmpeg.org/ffmpeg-formats.html#framecrc).
"""

import itertools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from common.errors import MediaError, PermanentError

# Files are only ever read as MP4, whatever they claim to be: other demuxers can open playlists,
# and through them other files and addresses.
_INPUT = ("-f", "mov", "-protocol_whitelist", "file,pipe")
_HEADER = re.compile(r"#(\w+) (\d+):\s*(.+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file holds: its video stream, and whether there is another beside it.

    `setup` is the checksum of the decoder set-up (profile, level, parameter sets); two streams
    can be joined without re-encoding only if it is the same.
    """

    codec: str
    width: int
    height: int
    sample_aspect: str
    time_base: Fraction
    setup: str
    frames: int
    seconds: float
    rising: bool
    has_sound: bool


def run(arguments: Sequence[str], *, timeout: float) -> str:
    """Run ffmpeg with these arguments and return what it printed to standard output.

    Raises MediaError when it fails or takes longer than `timeout` seconds.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise PermanentError(
            "The program ffmpeg is not there; the function needs the ffmpeg layer.",
            code="ffmpeg.missing",
        )
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, arguments of our own, no shell
            [program, "-nostdin", "-hide_banner", "-v", "error", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={},  # no credentials for a program that reads foreign files
        )
    except subprocess.TimeoutExpired:
        raise MediaError(
            f"ffmpeg took longer than {timeout:.0f} s and was stopped.", code="media.timeout"
        ) from None
    if done.returncode != 0:
        raise MediaError(f"ffmpeg cannot process the file (exit code {done.returncode}).")
    return done.stdout


def inspect(path: Path, *, timeout: float = 60) -> Facts:
    """Return what the file holds, without decoding it."""
    return _facts(run(_listing(path, "-c", "copy"), timeout=timeout))


def decode(path: Path, *, timeout: float = 240) -> Facts:
    """Return what the file holds, as decoded: every picture is looked at. Any fault raises."""
    stored = inspect(path)
    decoded = _facts(run(_listing(path, "-xerror"), timeout=timeout))
    if decoded.frames != stored.frames:
        raise MediaError(
            f"The file holds {stored.frames} pictures, of which {decoded.frames} can be decoded."
        )
    return stored


def starts_at_once(path: Path) -> bool:
    """Say whether the index (`moov`) lies before the media, so that players need not seek."""
    with path.open("rb") as file:
        while header := file.read(8):
            size, name = int.from_bytes(header[:4], "big"), header[4:8]
            if name in (b"moov", b"mdat"):
                return name == b"moov"
            body = int.from_bytes(file.read(8), "big") - 16 if size == 1 else size - 8
            if body < 0:
                return False
            file.seek(body, 1)
    return False


def _listing(path: Path, *how: str) -> list[str]:
    return [*_INPUT, "-i", str(path), "-map", "0", *how, "-f", "framecrc", "-"]


def _facts(listing: str) -> Facts:
    header: dict[tuple[str, int], str] = {}
    rows: dict[int, list[tuple[int, int, int]]] = {}
    for line in listing.splitlines():
        if match := _HEADER.match(line):
            header[match[1], int(match[2])] = match[3]
        elif line and line[0].isdigit():
            stream, dts, pts, duration = (int(value) for value in line.split(",")[:4])
            rows.setdefault(stream, []).append((dts, pts, duration))
    kinds = {stream: kind for (name, stream), kind in header.items() if name == "media_type"}
    of_video = [stream for stream, kind in kinds.items() if kind == "video"]
    if len(of_video) != 1 or not rows.get(of_video[0]):
        raise MediaError("The file does not hold exactly one video stream with pictures.")
    video = of_video[0]
    packets = rows[video]
    width, height = (int(value) for value in header["dimensions", video].split("x"))
    time_base = Fraction(header["tb", video])
    first, last = min(pts for _, pts, _ in packets), max(pts + span for _, pts, span in packets)
    return Facts(
        codec=header["codec_id", video],
        width=width,
        height=height,
        sample_aspect=header.get(("sar", video), "0/1"),
        time_base=time_base,
        setup=header.get(("extradata", video), ""),
        frames=len(packets),
        seconds=float((last - first) * time_base),
        rising=all(a[0] < b[0] for a, b in itertools.pairwise(packets)),
        has_sound="audio" in kinds.values(),
    )
