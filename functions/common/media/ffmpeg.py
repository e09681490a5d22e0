"""Probe media files with ffmpeg, and open untrusted files safely.

The layer has no ffprobe. The `framecrc` muxer prints the same information in a form that is easy to
parse (`common.media.framecrc`).
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
from common.media.ffmpeg_process import FfmpegOutput
from common.media.framecrc import Row, Stream, Streams

MOST_PIXELS = 4096 * 2304
MOST_FPS = 121
MOST_SECONDS = 600.0
MOST_SOUND_SECONDS = 3600.0
MOST_STREAMS = 64  # phones and cameras write up to a dozen
DECODE_SECONDS = 25
"""Timeout for decoding one file."""

_LISTING_BYTES = 48 * 1024 * 1024
_THREADS = str(min(4, ffmpeg_process.cores()))  # of a decoder; each one holds frames in memory
# The codecs that providers and users send. Any other decoder only adds attack surface.
_DECODERS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,mpeg1video,mjpeg,prores,"
    "png,h263,vc1,wmv3,theora,ffv1,aac,mp3,mp3float,mp2,mp2float,opus,libopus,vorbis,libvorbis,flac,alac,"
    "ac3,eac3,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,rawvideo,"
    "dvvideo,dnxhd,pcm_alaw,pcm_mulaw,amrnb,amrwb"
)
_LOGGED_CHARACTERS = 1000
# amrnb and amrwb are decoders of codecs with other names.
_SUPPORTED_CODECS = {*_DECODERS.split(","), "amr_nb", "amr_wb"}
_SHOWINFO_FRAME = re.compile(r"fmt:(?P<form>\w+) .*? s:(?P<size>\d+x\d+) ")
_SHOWINFO_FORMAT = re.compile(
    r"fmt:(?P<form>\w+) .*?sar:(?P<sar>\d+/\d+) s:(?P<width>\d+)x(?P<height>\d+) i:(?P<order>\w)"
    r".*?color_range:(?P<range>\w+) color_space:(?P<matrix>[\w-]+) "
    r"color_primaries:(?P<primaries>[\w-]+) color_trc:(?P<transfer>[\w-]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """An audio stream: codec, samples per second, and ffmpeg's name of the channel layout."""

    codec: str
    rate: int
    layout: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """The first usable video stream of a file, and its first usable audio stream.

    `setup` is the checksum of the decoder configuration (profile, level, parameter sets). `start`
    is the presentation time of the first frame and `seconds` the duration of all frames.
    `is_constant_rate` is true if all frames last equally long, `rising` if decoding timestamps
    increase. `mean_frame_seconds` and `median_frame_seconds` are of the intervals between frames.
    `trimmed` is true if the file has frames that are not presented: outside its edit list, or
    leading frames that cannot be decoded.
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
    has_increasing_dts: bool
    is_constant_rate: bool
    mean_frame_seconds: Fraction
    median_frame_seconds: Fraction
    trimmed: bool
    sound: AudioInfo | None

    @property
    def codecs(self) -> list[str]:
        """The codecs of the selected streams."""
        return [self.codec, *([self.sound.codec] if self.sound else [])]

    @property
    def has_sound(self) -> bool:
        """True if the file has a usable audio stream."""
        return self.sound is not None


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """The format of a file's first frame, rotated upright: size, pixel format and colour.

    Colour properties have ffmpeg's names, and are `unknown` if the file does not specify them.
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
"""Run ffmpeg with limits; see `ffmpeg_process.run`."""


def source(path: Path, *, sound: bool = False) -> list[str]:
    """Return the input arguments for an untrusted file.

    They fix the demuxer, allow only the protocols `file` and `pipe`, and limit decoders, streams
    and pixels. With `sound`, audio files are accepted too. Raises MediaError for an unsupported
    format.
    """
    return [
        *("-f", demuxers.demuxer(path, sound=sound), "-protocol_whitelist", "file,pipe"),
        *("-codec_whitelist", _DECODERS, "-max_streams", str(MOST_STREAMS)),
        *("-skip_initial_bytes", str(demuxers.leading_zeros(path))),
        *("-max_pixels", str(MOST_PIXELS), "-threads", _THREADS, "-i", str(path)),
    ]


def streams(path: Path, *, sound: bool = False) -> Streams:
    """Return the first video and the first audio stream with a supported codec.

    Raises MediaError for a file that cannot be opened.
    """
    state = path.stat()
    return _streams(path, state.st_mtime_ns, state.st_size, sound)


@lru_cache(maxsize=256)
def _streams(path: Path, _changed: int, _size: int, sound: bool) -> Streams:
    input_arguments = [*source(path, sound=sound), "-f", "ffmetadata", "-"]
    output = ffmpeg_process.execute(
        input_arguments, 30, _LISTING_BYTES, level="info", memory=ffmpeg_process.LARGE
    )
    return framecrc.select_streams(output.stderr, _SUPPORTED_CODECS)


def video_index(path: Path) -> int:
    """Return the index of the video stream to use; raises MediaError if there is none."""
    selected = streams(path)
    if selected.video is None:
        raise _unsupported(selected, "video", "The file has no video.")
    return selected.video.index


def audio_stream(path: Path, *, sound: bool = False) -> Stream:
    """Return the audio stream to use; raises MediaError if there is none."""
    selected = streams(path, sound=sound)
    if selected.audio is None:
        raise _unsupported(selected, "audio", "The file has no audio.")
    return selected.audio


def inspect(path: Path, *, timeout: float = 30) -> MediaInfo:
    """Probe a file without decoding it.

    Raises MediaError if the file is damaged or exceeds the limits of pixels, duration or rate.
    """
    return _media_info(*_list_packets(path, timeout))


def decode(path: Path, *, timeout: float = DECODE_SECONDS) -> MediaInfo:
    """Probe a file by decoding every frame; raises MediaError for any damage.

    Frames outside the edit list, and leading frames whose references precede the first keyframe,
    are not counted, because players do not present them.
    """
    selected, listing = _list_packets(path, timeout)
    _media_info(selected, listing)
    output = ffmpeg_process.execute(
        [
            "-xerror",
            *source(path),
            *selected.maps(),
            "-noautoscale",
            "-vf",
            "showinfo=checksum=0",
            "-enc_time_base:v",
            "demux",
            *_FRAMECRC,
        ],
        timeout,
        _LISTING_BYTES,
        level="info",
        memory=ffmpeg_process.LARGE,
    )
    _require_constant_format(output.stderr)
    presented, trimmed = _presented(listing), any(row.discarded for row in listing.rows[0])
    frames = framecrc.parse_listing(output.stdout).rows.get(0, [])
    if frames and min(presented).pts == (first := min(frame.pts for frame in frames)):
        trimmed = trimmed or any(row.pts < first for row in presented)
        presented = [row for row in presented if row.pts >= first]
    _require_no_errors(output, trimmed=trimmed)
    if len(frames) != len(presented):
        raise MediaError(
            f"The file has {len(presented)} frames, of which {len(frames)} can be decoded."
        )
    return _media_info(selected, listing, presented)


def read_frame_format(
    input_arguments: Sequence[str], *, stream: int = 0, timeout: float = 30
) -> FrameFormat:
    """Decode the first frame of a file and return its format.

    `input_arguments` open the file (see `source`); `stream` is the index of the video stream.
    """
    output = ffmpeg_process.execute(
        [
            *(*input_arguments, "-map", f"0:{stream}", "-vf", "showinfo"),
            *("-frames:v", "1", "-f", "null", "-"),
        ],
        timeout,
        _LISTING_BYTES,
        level="info",
        memory=ffmpeg_process.LARGE,
    )
    match = _SHOWINFO_FORMAT.search(output.stderr)
    if match is None:
        raise MediaError("The first frame of the file cannot be decoded.")
    return FrameFormat(
        width=int(match["width"]),
        height=int(match["height"]),
        sample_aspect=_parse_aspect(match["sar"]),
        pixel_format=match["form"],
        range=match["range"],
        matrix=match["matrix"],
        primaries=match["primaries"],
        transfer=match["transfer"],
    )


def probe_frame_format(path: Path) -> FrameFormat:
    """Decode the first frame of an untrusted file and return its format."""
    return read_frame_format(source(path), stream=video_index(path))


def audio_seconds(path: Path, *, timeout: float = 60) -> float:
    """Return the duration of an untrusted file's audio in seconds, without decoding it.

    Raises MediaError if the file is damaged, has no audio, or is longer than one hour.
    """
    stream = f"0:{audio_stream(path, sound=True).index}"
    input_arguments = [*source(path, sound=True), "-map", stream, *_FRAMECRC_COPY]
    output = ffmpeg_process.execute(input_arguments, timeout, _LISTING_BYTES)
    _require_no_errors(output)
    listing = framecrc.parse_listing(output.stdout)
    packets = listing.rows.get(0)
    if not packets:
        raise MediaError("The file has no audio.")
    end = max(row.pts + row.duration for row in packets)
    seconds = float((end - packets[0].pts) * Fraction(listing.header["tb", 0]))
    if not 0 < seconds <= MOST_SOUND_SECONDS:
        raise MediaError(
            f"The audio has {seconds:.1f} seconds; at most {MOST_SOUND_SECONDS:.0f} are allowed.",
            code="media.too_large",
        )
    return seconds


def is_fast_start(path: Path) -> bool:
    """Return whether the index (`moov`) precedes the media (`mdat`), known as fast start."""
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


_FRAMECRC = ("-fps_mode", "passthrough", "-f", "framecrc", "-")
_FRAMECRC_COPY = ("-c", "copy", "-f", "framecrc", "-")


def _require_no_errors(output: FfmpegOutput, *, trimmed: bool = False) -> None:
    """Raise MediaError if ffmpeg logged errors, even if it exited successfully."""
    if errors := ffmpeg_errors.complaints(output.stderr, trimmed=trimmed):
        tail = "\n".join(errors)[-_LOGGED_CHARACTERS:]
        logger.info("ffmpeg logged errors", extra={"stderr": tail})
        raise MediaError("The file is damaged: parts of it cannot be read.")


def _unsupported(selected: Streams, kind: str, missing: str) -> MediaError:
    codec = selected.unusable.get(kind)
    message = f"The file uses {codec}, a codec that is not supported."
    return MediaError(message if codec else missing)


def within_limits(width: int, height: int, frames: int, seconds: float) -> None:
    """Raise MediaError for a video that exceeds the limits of pixels, duration or frame rate."""
    for unit, measured, maximum in (
        ("pixels", width * height, MOST_PIXELS),
        ("seconds", seconds, MOST_SECONDS),
        ("frames per second", frames / seconds if seconds > 0 else 0, MOST_FPS),
    ):
        if measured > maximum:
            raise MediaError(
                f"The video has {measured:.0f} {unit}; at most {maximum:.0f} are allowed.",
                code="media.too_large",
            )


def _list_packets(path: Path, timeout: float) -> tuple[Streams, framecrc.Listing]:
    """List the packets of the selected streams: stream 0 is the video, stream 1 the audio.

    Raises MediaError if there is no video, or audio only in unsupported codecs.
    """
    video_index(path)
    selected = streams(path)
    if selected.audio is None and "audio" in selected.unusable:
        raise _unsupported(selected, "audio", "")
    output = ffmpeg_process.execute(
        [*source(path), *selected.maps(), *_FRAMECRC_COPY], timeout, _LISTING_BYTES
    )
    _require_no_errors(output)
    return selected, framecrc.parse_listing(output.stdout)


def _presented(listing: framecrc.Listing) -> list[Row]:
    """Return the video packets that are not discarded by the edit list."""
    presented = [row for row in listing.rows.get(0, []) if not row.discarded]
    if not presented:
        raise MediaError("The video stream of the file has no frames.")
    return presented


def _require_constant_format(log: str) -> None:
    """Raise MediaError if size or pixel format change midway, by the log of `showinfo`."""
    matches = _SHOWINFO_FRAME.finditer(log)
    formats = list(dict.fromkeys((match["size"], match["form"]) for match in matches))
    if len(formats) < 2:
        return
    (size, pixel_format), (next_size, next_pixel_format) = formats[:2]
    change = (
        f"size midway, from {size} to {next_size}"
        if size != next_size
        else f"pixel format midway, from {pixel_format} to {next_pixel_format}"
    )
    raise MediaError(f"The frames of the file change their {change}.")


def _media_info(
    selected: Streams, listing: framecrc.Listing, presented: Sequence[Row] | None = None
) -> MediaInfo:
    packets = _presented(listing) if presented is None else presented
    header = listing.header
    width, height = (int(value) for value in header["dimensions", 0].split("x"))
    time_base = Fraction(header["tb", 0])
    pts_values = sorted(row.pts for row in packets)
    first, last = pts_values[0], max(row.pts + row.duration for row in packets)
    seconds = float((last - first) * time_base)
    within_limits(width, height, len(packets), seconds)
    intervals = sorted(later - earlier for earlier, later in itertools.pairwise(pts_values)) or [0]
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
        has_increasing_dts=all(a.dts < b.dts for a, b in itertools.pairwise(packets)),
        # Containers with millisecond timestamps round, so intervals may differ by one tick.
        is_constant_rate=intervals[-1] - intervals[0] <= 1,
        mean_frame_seconds=Fraction(pts_values[-1] - first, len(intervals)) * time_base,
        median_frame_seconds=intervals[len(intervals) // 2] * time_base,
        trimmed=len(packets) < len(listing.rows[0]),
        sound=_audio_info(header) if selected.audio is not None else None,
    )


def _audio_info(header: Mapping[tuple[str, int], str]) -> AudioInfo | None:
    return AudioInfo(
        codec=header["codec_id", 1],
        rate=int(header.get(("sample_rate", 1), "0")),
        layout=header.get(("channel_layout_name", 1), ""),
    )


def _parse_aspect(text: str) -> Fraction:
    width, height = (int(part) for part in text.split("/"))
    return Fraction(width, height) if width and height else Fraction(1)
