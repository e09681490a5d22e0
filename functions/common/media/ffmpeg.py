"""Learn with ffmpeg what is in a file, and open foreign files safely.

There is no ffprobe in the layer. The `framecrc` muxer prints the same in a form made for programs
(`common.media.framecrc`).
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from common.aws.log import logger
from common.domain.errors import MediaError
from common.media import demuxers, ffmpeg_errors, ffmpeg_process, framecrc
from common.media.ffmpeg_process import Done
from common.media.framecrc import Row, Stream, Streams

MOST_PIXELS = 4096 * 2304
MOST_FPS = 121
MOST_SECONDS = 600.0
MOST_SOUND_SECONDS = 3600.0
MOST_STREAMS = 64  # phones and cameras write up to a dozen, of which two are used
DECODE_SECONDS = 25
"""How long one file may take to be decoded."""

_LISTING_BYTES = 48 * 1024 * 1024
_THREADS = str(min(4, ffmpeg_process.cores()))  # for decoding: each one holds frames of its own
# What providers and people send. A decoder that nobody needs is only a way in.
_DECODERS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,mpeg1video,mjpeg,prores,"
    "png,h263,vc1,wmv3,theora,ffv1,aac,mp3,mp3float,mp2,mp2float,opus,libopus,vorbis,libvorbis,flac,alac,"
    "ac3,eac3,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,rawvideo,"
    "dvvideo,dnxhd,pcm_alaw,pcm_mulaw,amrnb,amrwb"
)
_SAID = 1000  # characters of what it said that are logged
# Codecs whose decoder has another name.
_CODECS = {*_DECODERS.split(","), "amr_nb", "amr_wb"}
_SHOWN = re.compile(r"fmt:(?P<form>\w+) .*? s:(?P<size>\d+x\d+) ")
_LOOK = re.compile(
    r"fmt:(?P<form>\w+) .*?sar:(?P<sar>\d+/\d+) s:(?P<width>\d+)x(?P<height>\d+) i:(?P<order>\w)"
    r".*?color_range:(?P<range>\w+) color_space:(?P<matrix>[\w-]+) "
    r"color_primaries:(?P<primaries>[\w-]+) color_trc:(?P<transfer>[\w-]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The first sound stream: codec, samples a second, channels as ffmpeg names them."""

    codec: str
    rate: int
    layout: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds: its first usable video stream, and the sound beside it.

    `setup` is the checksum of the decoder set-up (profile, level, parameter sets). `start` is when
    the first picture is shown, `seconds` how long they last. `steady` says that all pictures are
    shown equally long, `rising` that their time stamps rise. `mean_step` and `median_step` are
    of the times from one picture to the next, in seconds. `trimmed` says that the file holds
    pictures that are not shown (outside of its edit list, or leading ones that cannot be decoded).
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
    mean_step: Fraction
    median_step: Fraction
    trimmed: bool
    sound: AudioInfo | None

    @property
    def codecs(self) -> list[str]:
        """The codecs of the streams that are used."""
        return [self.codec, *([self.sound.codec] if self.sound else [])]

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


run = ffmpeg_process.run
"""Run ffmpeg under limits, with arguments of our own."""


def source(path: Path, *, sound: bool = False) -> list[str]:
    """Return the arguments that open a foreign file; raises MediaError if it is none of ours.

    Where only its `sound` is wanted, files of nothing else are opened too.

    The format is told, files and pipes are the only protocols, and decoders, streams and pixels are
    limited.
    """
    return [
        *("-f", demuxers.demuxer(path, sound=sound), "-protocol_whitelist", "file,pipe"),
        *("-codec_whitelist", _DECODERS, "-max_streams", str(MOST_STREAMS)),
        *("-skip_initial_bytes", str(demuxers.leading_zeros(path))),
        *("-max_pixels", str(MOST_PIXELS), "-threads", _THREADS, "-i", str(path)),
    ]


def streams(path: Path, *, sound: bool = False) -> Streams:
    """Return the first video and audio stream that can be decoded; the others do not matter.

    Raises MediaError for a file that cannot be opened.
    """
    state = path.stat()
    return _streams(path, state.st_mtime_ns, state.st_size, sound)


@lru_cache(maxsize=256)
def _streams(path: Path, _changed: int, _size: int, sound: bool) -> Streams:
    opened = [*source(path, sound=sound), "-f", "ffmetadata", "-"]
    done = ffmpeg_process.execute(
        opened, 30, _LISTING_BYTES, level="info", memory=ffmpeg_process.LARGE
    )
    return framecrc.streams(done.stderr, _CODECS)


def video_index(path: Path) -> int:
    """Return the index of the video stream to use; raises MediaError if there is none."""
    used = streams(path)
    if used.video is None:
        raise _unusable(used, "video", "The file holds no video.")
    return used.video.index


def audio_stream(path: Path, *, sound: bool = False) -> Stream:
    """Return the audio stream to use; raises MediaError if there is none."""
    used = streams(path, sound=sound)
    if used.audio is None:
        raise _unusable(used, "audio", "The file holds no sound.")
    return used.audio


def inspect(path: Path, *, timeout: float = 30) -> MediaInfo:
    """Return what the file holds, without decoding it.

    Raises MediaError when it is broken, or larger, longer or faster than is allowed.
    """
    return _facts(*_listed(path, timeout))


def decode(path: Path, *, timeout: float = DECODE_SECONDS) -> MediaInfo:
    """Return what the file holds, as decoded: every frame is looked at. Any fault raises.

    Frames outside of the edit list, and leading frames that refer to others before the beginning,
    are not counted, since no player shows them.
    """
    used, stored = _listed(path, timeout)
    _facts(used, stored)
    done = ffmpeg_process.execute(
        [
            "-xerror",
            *source(path),
            *used.maps(),
            "-noautoscale",
            "-vf",
            "showinfo=checksum=0",
            "-enc_time_base:v",
            "demux",
            *_LIST,
        ],
        timeout,
        _LISTING_BYTES,
        level="info",
        memory=ffmpeg_process.LARGE,
    )
    _has_one_form(done.stderr)
    kept, trimmed = _kept(stored), any(row.discarded for row in stored.rows[0])
    frames = framecrc.listing(done.stdout).rows.get(0, [])
    if frames and min(kept).pts == (first := min(frame.pts for frame in frames)):
        trimmed = trimmed or any(row.pts < first for row in kept)
        kept = [row for row in kept if row.pts >= first]
    _no_complaints(done, trimmed=trimmed)
    if len(frames) != len(kept):
        raise MediaError(
            f"The file holds {len(kept)} pictures, of which {len(frames)} can be decoded."
        )
    return _facts(used, stored, kept)


def look(opened: Sequence[str], *, stream: int = 0, timeout: float = 30) -> Look:
    """Decode a file's first picture and say how it looks.

    `opened` is what `source` returned, `stream` the index of the video stream.
    """
    done = ffmpeg_process.execute(
        [*opened, "-map", f"0:{stream}", "-vf", "showinfo", "-frames:v", "1", "-f", "null", "-"],
        timeout,
        _LISTING_BYTES,
        level="info",
        memory=ffmpeg_process.LARGE,
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


def look_at(path: Path) -> Look:
    """Decode the first picture of a foreign file and say how it looks."""
    return look(source(path), stream=video_index(path))


def hear(path: Path, *, timeout: float = 60) -> float:
    """Return how many seconds of sound a foreign file holds, without decoding it.

    Raises MediaError when it is broken, holds no sound, or is longer than is allowed.
    """
    stream = f"0:{audio_stream(path, sound=True).index}"
    opened = [*source(path, sound=True), "-map", stream, *_LIST_COPY]
    done = ffmpeg_process.execute(opened, timeout, _LISTING_BYTES)
    _no_complaints(done)
    heard = framecrc.listing(done.stdout)
    if not heard.rows.get(0):
        raise MediaError("The file holds no sound.")
    last = max(row.pts + row.duration for row in heard.rows[0])
    seconds = float((last - heard.rows[0][0].pts) * Fraction(heard.header["tb", 0]))
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


def _no_complaints(done: Done, *, trimmed: bool = False) -> None:
    """Refuse a file that ffmpeg found fault with, even where it went on and reported success."""
    if found := ffmpeg_errors.complaints(done.stderr, trimmed=trimmed):
        logger.info("ffmpeg found fault", extra={"said": "\n".join(found)[-_SAID:]})
        raise MediaError("The file is damaged: parts of it cannot be read.")


def _unusable(used: Streams, kind: str, otherwise: str) -> MediaError:
    codec = used.unusable.get(kind)
    is_known = f"The file holds {codec}, a codec that is not taken here."
    return MediaError(is_known if codec else otherwise)


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


def _listed(path: Path, timeout: float) -> tuple[Streams, framecrc.Listing]:
    """List the packets of the streams that are used: first those of the video, then of the sound.

    Raises MediaError if there is no video, or sound only in codecs that are not taken.
    """
    video_index(path)
    used = streams(path)
    if used.audio is None and "audio" in used.unusable:
        raise _unusable(used, "audio", "")
    done = ffmpeg_process.execute(
        [*source(path), *used.maps(), *_LIST_COPY], timeout, _LISTING_BYTES
    )
    _no_complaints(done)
    return used, framecrc.listing(done.stdout)


def _kept(stored: framecrc.Listing) -> list[Row]:
    """Return the video packets that are shown."""
    kept = [row for row in stored.rows.get(0, []) if not row.discarded]
    if not kept:
        raise MediaError("The file's video stream has no pictures.")
    return kept


def _has_one_form(log: str) -> None:
    """Refuse frames whose size or pixel format changes midway (as `showinfo` logged them)."""
    forms = list(dict.fromkeys((match["size"], match["form"]) for match in _SHOWN.finditer(log)))
    if len(forms) < 2:
        return
    (size, form), (other, another) = forms[:2]
    change = (
        f"size midway, from {size} to {other}"
        if size != other
        else (f"pixel format midway, from {form} to {another}")
    )
    raise MediaError(f"The file's pictures change their {change}.")


def _facts(used: Streams, stored: framecrc.Listing, kept: Sequence[Row] | None = None) -> MediaInfo:
    packets = _kept(stored) if kept is None else kept
    header = stored.header
    width, height = (int(value) for value in header["dimensions", 0].split("x"))
    time_base = Fraction(header["tb", 0])
    shown = sorted(row.pts for row in packets)
    first, last = shown[0], max(row.pts + row.duration for row in packets)
    seconds = float((last - first) * time_base)
    within_limits(width, height, len(packets), seconds)
    gaps = sorted(after - before for before, after in itertools.pairwise(shown)) or [0]
    return MediaInfo(
        codec=header["codec_id", 0],
        width=width,
        height=height,
        sample_aspect=header.get(("sar", 0), "0/1"),
        time_base=time_base,
        setup=header.get(("extradata", 0), ""),
        frames=len(packets),
        start=first * time_base,
        seconds=seconds,
        rising=all(a.dts < b.dts for a, b in itertools.pairwise(packets)),
        # Containers that count in milliseconds round, so steps may differ by one.
        steady=gaps[-1] - gaps[0] <= 1,
        mean_step=Fraction(shown[-1] - first, len(gaps)) * time_base,
        median_step=gaps[len(gaps) // 2] * time_base,
        trimmed=len(packets) < len(stored.rows[0]),
        sound=_sound(header) if used.audio is not None else None,
    )


def _sound(header: Mapping[tuple[str, int], str]) -> AudioInfo | None:
    return AudioInfo(
        codec=header["codec_id", 1],
        rate=int(header.get(("sample_rate", 1), "0")),
        layout=header.get(("channel_layout_name", 1), ""),
    )


def _aspect(text: str) -> Fraction:
    width, height = (int(part) for part in text.split("/"))
    return Fraction(width, height) if width and height else Fraction(1)
