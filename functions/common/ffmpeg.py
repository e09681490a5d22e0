"""The ffmpeg program: run it under limits, and learn what is in a file.

There is no ffprobe in the layer. The `framecrc` muxer says the same in a form made for programs:
for each stream its codec, time base, size and the checksum of its decoder set-up, then one line
for each packet or picture (https://ffmpeg.org/ffmpeg-formats.html#framecrc).
"""

import itertools
import re
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from common import containers
from common.errors import MediaError, PermanentError
from common.log import logger

MOST_PIXELS = 4096 * 2304
MOST_FPS = 121
MOST_SECONDS = 600.0
MOST_SOUND_SECONDS = 3600.0
MOST_STREAMS = 8
DECODE_SECONDS = 25
"""How long one file may take to be decoded."""

_MIB = 1024 * 1024
_MEMORY = 2048 * _MIB  # address space, of which far less is used
_LISTING_BYTES = 48 * _MIB
_OUTPUT_BYTES = 2048 * _MIB
# What providers and people send. A decoder that nobody needs is only a way in.
_DECODERS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,mpeg1video,mjpeg,prores,"
    "png,h263,vc1,wmv3,theora,ffv1,aac,mp3,mp3float,mp2,mp2float,opus,libopus,vorbis,libvorbis,flac,alac,"
    "ac3,eac3,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,rawvideo,"
    "dvvideo,dnxhd,pcm_alaw,pcm_mulaw,amrnb,amrwb"
)
_SAID = 1000  # characters of what it said that are logged
_HEADER = re.compile(r"#(\w+) (\d+):\s*(.+)")
_NOT_TAKEN = re.compile(r"Codec \((\w+)\) not on whitelist")
_LOOK = re.compile(
    r"fmt:(?P<form>\w+) .*?sar:(?P<sar>\d+/\d+) s:(?P<width>\d+)x(?P<height>\d+) i:(?P<order>\w)"
    r".*?color_range:(?P<range>\w+) color_space:(?P<matrix>[\w-]+) "
    r"color_primaries:(?P<primaries>[\w-]+) color_trc:(?P<transfer>[\w-]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """The first sound stream: codec, samples a second, channels as ffmpeg names them."""

    codec: str
    rate: int
    layout: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file holds: its one video stream, and the sound beside it.

    `setup` is the checksum of the decoder set-up (profile, level, parameter sets). `start` is when
    the first picture is shown, `seconds` how long they last. `steady` says that all pictures are
    shown equally long, `rising` that their time stamps rise.
    """

    codec: str
    width: int
    height: int
    sample_aspect: str
    time_base: Fraction
    setup: str
    frames: int
    start: Fraction
    seconds: float
    rising: bool
    steady: bool
    sound: SoundFacts | None

    @property
    def has_sound(self) -> bool:
        """Whether there is sound."""
        return self.sound is not None


@dataclass(frozen=True, slots=True)
class Look:
    """A file's first picture as it is shown, turned upright: its size, pixels and colours.

    The names of colours are ffmpeg's; `unknown` where the file does not say.
    """

    width: int
    height: int
    sample_aspect: Fraction
    pixel_format: str
    range: str
    matrix: str
    primaries: str
    transfer: str


@dataclass(frozen=True, slots=True)
class _Done:
    stdout: str
    stderr: str


def run(arguments: Sequence[str], *, timeout: float, most_bytes: int = _OUTPUT_BYTES) -> str:
    """Run ffmpeg with these arguments and return what it printed to standard output.

    It gets no environment, so no credentials, and writes at most `most_bytes` to any file. Raises
    MediaError when it fails, or takes longer than `timeout` seconds or more memory than is allowed.
    """
    return _run(arguments, timeout, most_bytes).stdout


def source(path: Path, *, sound: bool = False) -> list[str]:
    """Return the arguments that open a foreign file; raises MediaError if it is none of ours.

    Where only its `sound` is wanted, files of nothing else are opened too.

    The format is told, files and pipes are the only protocols, and decoders, streams and pixels are
    limited.
    """
    return [
        *("-f", containers.demuxer(path, sound=sound), "-protocol_whitelist", "file,pipe"),
        *("-codec_whitelist", _DECODERS, "-max_streams", str(MOST_STREAMS)),
        *("-max_pixels", str(MOST_PIXELS), "-i", str(path)),
    ]


def inspect(path: Path, *, timeout: float = 30) -> Facts:
    """Return what the file holds, without decoding it.

    Raises MediaError when it is broken, or larger, longer or faster than is allowed.
    """
    done = _run(
        [*source(path), "-map", "0:V", "-map", "0:a?", *_LIST_COPY], timeout, _LISTING_BYTES
    )
    _no_complaints(done)
    facts = _facts(done.stdout)
    within_limits(facts.width, facts.height, facts.frames, facts.seconds)
    return facts


def decode(path: Path, *, timeout: float = DECODE_SECONDS) -> Facts:
    """Return what the file holds, as decoded: every picture is looked at. Any fault raises."""
    stored = inspect(path)
    streams = ("-map", "0:V", "-map", "0:a?", "-noautoscale")
    done = _run(["-xerror", *source(path), *streams, *_LIST], timeout, _LISTING_BYTES)
    _no_complaints(done)
    decoded = _facts(done.stdout)
    if not _has_one_size(done.stdout):
        raise MediaError("The file's pictures change their size midway.")
    if decoded.frames != stored.frames:
        raise MediaError(
            f"The file holds {stored.frames} pictures, of which {decoded.frames} can be decoded."
        )
    return stored


def look(opened: Sequence[str], *, timeout: float = 30) -> Look:
    """Decode a file's first picture and say how it looks; `opened` is what `source` returned."""
    done = _run(
        [*opened, "-map", "0:V:0", "-vf", "showinfo", "-frames:v", "1", "-f", "null", "-"],
        timeout,
        _LISTING_BYTES,
        level="info",
    )
    match = _LOOK.search(done.stderr)
    if match is None:
        raise MediaError("The file's first picture cannot be decoded.")
    return Look(
        width=int(match["width"]),
        height=int(match["height"]),
        sample_aspect=_aspect(match["sar"]),
        pixel_format=match["form"],
        range=match["range"],
        matrix=match["matrix"],
        primaries=match["primaries"],
        transfer=match["transfer"],
    )


def hear(path: Path, *, timeout: float = 60) -> float:
    """Return how many seconds of sound a foreign file holds, without decoding it.

    Raises MediaError when it is broken, holds no sound, or is longer than is allowed.
    """
    done = _run([*source(path, sound=True), "-map", "0:a:0", *_LIST_COPY], timeout, _LISTING_BYTES)
    _no_complaints(done)
    header, rows = _listed(done.stdout)
    if not rows.get(0):
        raise MediaError("The file holds no sound.")
    last = max(pts + span for _, pts, span in rows[0])
    seconds = float((last - rows[0][0][1]) * Fraction(header["tb", 0]))
    if not 0 < seconds <= MOST_SOUND_SECONDS:
        raise MediaError(
            f"The sound has {seconds:.1f} seconds; at most {MOST_SOUND_SECONDS:.0f} are allowed.",
            code="media.too_large",
        )
    return seconds


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


_LIST = ("-fps_mode", "passthrough", "-f", "framecrc", "-")
_LIST_COPY = ("-c", "copy", "-f", "framecrc", "-")


def _run(
    arguments: Sequence[str], timeout: float, most_bytes: int, *, level: str = "error"
) -> _Done:
    program = shutil.which("ffmpeg")
    if program is None:
        raise PermanentError(
            "The program ffmpeg is not there; the function needs the ffmpeg layer.",
            code="ffmpeg.missing",
        )
    command = [program, "-nostdin", "-nostats", "-hide_banner", "-v", level, *arguments]
    # What it prints goes to files, whose size is limited too; a pipe would be read into memory.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        # It stays in this process's group, so that it ends together with the function.
        child = subprocess.Popen(  # noqa: S603 - a fixed program, arguments of our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=complaints,
            env={"MALLOC_ARENA_MAX": "2"},  # no credentials; and no 64 MiB of heap for each thread
        )
        # Waiting with a time-out would ask every 50 ms, which is longer than most runs take.
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        try:
            _limit(child.pid, timeout, most_bytes)
            code = child.wait()
            is_late = timer.finished.is_set()
        finally:
            timer.cancel()
            if child.poll() is None:
                child.kill()
                child.wait()
        if is_late:
            raise MediaError(
                f"ffmpeg took longer than {timeout:.0f} s and was stopped.", code="media.timeout"
            )
        texts = []
        for file in (out, complaints):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
        done = _Done(*texts)
        if code != 0:
            # For the operator; it may quote the file, so it is not for the user.
            logger.info("ffmpeg failed", extra={"exit_code": code, "said": done.stderr[-_SAID:]})
            _all_codecs_are_taken(done)
            raise MediaError(f"ffmpeg cannot process the file (exit code {code}).")
        return done


def _limit(pid: int, timeout: float, most_bytes: int) -> None:
    """Bound what the child may take, where the system can (Linux)."""
    if not hasattr(resource, "prlimit"):
        return
    seconds = int(timeout * 4) + 1  # of processor time, on several cores
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, most_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.prlimit(pid, kind, (most, most))
        except ProcessLookupError:
            return  # it has ended already


def _no_complaints(done: _Done) -> None:
    """Refuse a file that ffmpeg found fault with, even where it went on and reported success."""
    _all_codecs_are_taken(done)
    if done.stderr.strip():
        raise MediaError("The file is damaged: parts of it cannot be read.")


def _all_codecs_are_taken(done: _Done) -> None:
    if match := _NOT_TAKEN.search(done.stderr):
        raise MediaError(f"The file holds {match[1]}, a codec that is not taken here.")


def within_limits(width: int, height: int, frames: int, seconds: float) -> None:
    """Raise MediaError for a video that is larger, longer or faster than is allowed."""
    for what, found, most in (
        ("pixels", width * height, MOST_PIXELS),
        ("seconds", seconds, MOST_SECONDS),
        ("pictures a second", frames / seconds if seconds > 0 else 0, MOST_FPS),
    ):
        if found > most:
            raise MediaError(
                f"The video has {found:.0f} {what}; at most {most:.0f} are allowed.",
                code="media.too_large",
            )


def _listed(
    listing: str,
) -> tuple[dict[tuple[str, int], str], dict[int, list[tuple[int, int, int]]]]:
    """Return what the listing says of each stream, and dts, pts and length of its packets."""
    header: dict[tuple[str, int], str] = {}
    rows: dict[int, list[tuple[int, int, int]]] = {}
    for line in listing.splitlines():
        if match := _HEADER.match(line):
            header[match[1], int(match[2])] = match[3]
        elif line and line[0].isdigit():
            stream, dts, pts, duration = (int(value) for value in line.split(",")[:4])
            rows.setdefault(stream, []).append((dts, pts, duration))
    return header, rows


def _has_one_size(listing: str) -> bool:
    """Say whether all decoded pictures, listed as the first stream, are as many bytes."""
    sizes = {line.split(",")[4] for line in listing.splitlines() if line.startswith("0,")}
    return len(sizes) <= 1


def _facts(listing: str) -> Facts:
    header, rows = _listed(listing)
    kinds = {stream: kind for (name, stream), kind in header.items() if name == "media_type"}
    of_video = [stream for stream, kind in kinds.items() if kind == "video"]
    if len(of_video) != 1 or not rows.get(of_video[0]):
        raise MediaError("The file does not hold exactly one video stream with pictures.")
    video = of_video[0]
    packets = rows[video]
    width, height = (int(value) for value in header["dimensions", video].split("x"))
    time_base = Fraction(header["tb", video])
    shown = sorted(pts for _, pts, _ in packets)
    first, last = shown[0], max(pts + span for _, pts, span in packets)
    steps = {after - before for before, after in itertools.pairwise(shown)}
    return Facts(
        codec=header["codec_id", video],
        width=width,
        height=height,
        sample_aspect=header.get(("sar", video), "0/1"),
        time_base=time_base,
        setup=header.get(("extradata", video), ""),
        frames=len(packets),
        start=first * time_base,
        seconds=float((last - first) * time_base),
        rising=all(a[0] < b[0] for a, b in itertools.pairwise(packets)),
        # Containers that count in milliseconds round, so steps may differ by one.
        steady=not steps or max(steps) - min(steps) <= 1,
        sound=_sound(header, kinds),
    )


def _sound(header: dict[tuple[str, int], str], kinds: dict[int, str]) -> SoundFacts | None:
    stream = next((stream for stream, kind in kinds.items() if kind == "audio"), None)
    if stream is None:
        return None
    return SoundFacts(
        codec=header["codec_id", stream],
        rate=int(header.get(("sample_rate", stream), "0")),
        layout=header.get(("channel_layout_name", stream), ""),
    )


def _aspect(text: str) -> Fraction:
    width, height = (int(part) for part in text.split("/"))
    return Fraction(width, height) if width and height else Fraction(1)
