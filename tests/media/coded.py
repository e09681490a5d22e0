"""Clips whose every frame encodes its scene and frame number.

The middle of each frame has a square of 4 x 4 black and white fields in a white border: 6 bits for
the scene, 9 for the frame number, 1 for parity. It survives scaling, padding, cropping and
encoding. The rest is grey. The audio is one continuous tone, whose pitch identifies the scene.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FIELDS = 4
SHARE = Fraction(1, 2)  # of the shorter side: the square with its border
BLACK, GREY, WHITE = 16, 126, 235
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-g", "48")
AAC = ("-c:a", "aac", "-b:a", "96k")


@dataclass(frozen=True)
class ClipSpec:
    """The properties of a generated clip. `after` and `rewrap` are ffmpeg options."""

    frames: int = 36
    size: tuple[int, int] = (320, 180)  # as displayed
    rate: Fraction = Fraction(24)
    codec: Sequence[str] = H264
    pixels: str = "yuv420p"
    filters: str = "null"
    sound: Sequence[str] | None = AAC
    sound_form: str = "r=48000:cl=mono"
    sound_seconds: float | None = None
    sound_late: float = 0
    after: Sequence[str] = ("-movflags", "+faststart")
    suffix: str = "mp4"
    rewrap: Sequence[str] = ()  # options of a second ffmpeg run with stream copy

    @property
    def seconds(self) -> Fraction:
        """The duration of the video."""
        return self.frames / self.rate


PLAIN = ClipSpec()


def pitch(scene: int) -> int:
    """Return the frequency of a scene's tone in Hz."""
    return 300 + 110 * (scene % 20)


def bits(scene: int, number: int) -> list[int]:
    """Return the fields, row by row; the last is the parity."""
    word = scene << 9 | number
    fields = [word >> bit & 1 for bit in range(14, -1, -1)]
    return [*fields, sum(fields) % 2]


def read_bits(fields: Sequence[int]) -> tuple[int, int] | None:
    """Return the scene and the frame number, or None if the parity is wrong."""
    if sum(fields[:-1]) % 2 != fields[-1]:
        return None
    word = int("".join(map(str, fields[:-1])), 2)
    return word >> 9, word & 511


def square(size: tuple[int, int]) -> tuple[float, float, float]:
    """Return left, top and side of the square with its border."""
    side = float(min(size) * SHARE)
    return (size[0] - side) / 2, (size[1] - side) / 2, side


def pictures(scene: int, make: ClipSpec) -> Iterator[bytes]:
    """Yield the frames as 4:2:0 planes."""
    width, height = make.size
    left, top, side = (round(value) for value in square(make.size))
    border = side // (FIELDS * 2 + 2)
    inner = side - 2 * border
    chroma = bytes((128,)) * (width // 2 * (height // 2) * 2)
    grey = bytes((GREY,)) * width
    edge = grey[:left] + bytes((WHITE,)) * side + grey[left + side :]
    for number in range(make.frames):
        fields = bits(scene, number)
        rows = []
        for y in range(side):
            field = (y - border) * FIELDS // inner
            if y < border or y >= side - border:
                rows.append(edge)
                continue
            line = bytearray(edge)
            for column in range(FIELDS):
                start, end = (
                    left + border + inner * index // FIELDS for index in (column, column + 1)
                )
                value = WHITE if fields[field * FIELDS + column] else BLACK
                line[start:end] = bytes((value,)) * (end - start)
            rows.append(bytes(line))
        yield grey * top + b"".join(rows) + grey * (height - top - side) + chroma


def clip(folder: Path, scene: int, make: ClipSpec = PLAIN, name: str | None = None) -> Path:
    """Write the clip of a scene; return its path."""
    path = folder / f"{name or f'clip_{scene:02d}'}.{make.suffix}"
    first = path.with_name(f"first_{path.name}") if make.rewrap else path
    sound = []
    if make.sound is not None:
        seconds = float(make.seconds) if make.sound_seconds is None else make.sound_seconds
        rate, layout = (part.split("=")[1] for part in make.sound_form.split(":"))
        tone = f"sine=frequency={pitch(scene)}:sample_rate={rate}:duration={seconds}"
        late = ("-itsoffset", str(make.sound_late)) if make.sound_late else ()
        sound = [*late, "-f", "lavfi", "-i", f"{tone},volume=4,aformat=channel_layouts={layout}"]
    command = [
        *(FFMPEG, "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p"),
        *("-s", f"{make.size[0]}x{make.size[1]}", "-r", str(make.rate), "-i", "pipe:0", *sound),
        *("-vf", make.filters, "-pix_fmt", make.pixels, *make.codec, *(make.sound or ())),
        *(*make.after, "-y", str(first)),
    ]
    subprocess.run(command, input=b"".join(pictures(scene, make)), check=True)
    if make.rewrap:
        before, after = (
            make.rewrap[: make.rewrap.index("-i")],
            make.rewrap[make.rewrap.index("-i") + 1 :],
        )
        rewrap_command = [
            FFMPEG,
            "-v",
            "error",
            *before,
            "-i",
            str(first),
            "-c",
            "copy",
            *after,
            "-y",
        ]
        subprocess.run([*rewrap_command, str(path)], check=True)
        first.unlink()
    return path


def clips(folder: Path, *makes: ClipSpec) -> dict[int, Path]:
    """Write a clip for each spec, for the scenes 1, 2, …"""
    return {scene: clip(folder, scene, make) for scene, make in enumerate(makes, 1)}


VARYING = [n for n in range(36) if n % 3 == 0 or n % 4 == 0 or n == 35]
"""The frame numbers of the clip with a variable rate; each frame lasts until the next."""

HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k")
AV1 = ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-crf", "30")
OPUS = ("-c:a", "libopus", "-b:a", "64k")
MAIN = ("-c:v", "libx264", "-preset", "medium", "-profile:v", "main")

KINDS: dict[str, ClipSpec] = {
    "plain": PLAIN,
    "without sound": replace(PLAIN, sound=None),
    "other encoder": replace(PLAIN, codec=MAIN),
    "portrait": replace(PLAIN, size=(180, 320)),
    "larger": replace(PLAIN, size=(640, 360)),
    "square": replace(PLAIN, size=(240, 240)),
    "30 fps": replace(PLAIN, rate=Fraction(30), frames=45),
    "25 fps": replace(PLAIN, rate=Fraction(25), frames=37),
    "23.976 fps": replace(PLAIN, rate=Fraction(24000, 1001)),
    "60 fps": replace(PLAIN, rate=Fraction(60), frames=90),
    "varying rate": replace(
        PLAIN,
        filters=f"select='{'+'.join(f'eq(n,{n})' for n in VARYING)}'",
        after=("-fps_mode", "vfr"),
    ),
    "turned": replace(PLAIN, filters="transpose=cclock", rewrap=("-display_rotation", "-90", "-i")),
    "turned upside down": replace(
        PLAIN, filters="hflip,vflip", rewrap=("-display_rotation", "180", "-i")
    ),
    "wide pixels": replace(PLAIN, filters="scale=240:180,setsar=4/3"),
    "hevc": replace(PLAIN, codec=HEVC),
    "hevc of 10 bit": replace(PLAIN, codec=HEVC, pixels="yuv420p10le"),
    "h264 of 10 bit": replace(PLAIN, codec=H264[:4], pixels="yuv420p10le"),
    "4:4:4": replace(PLAIN, codec=H264[:4], pixels="yuv444p"),
    "full range": replace(
        PLAIN, filters="scale=in_range=tv:out_range=pc", after=("-color_range", "pc")
    ),
    "mpeg-4": replace(PLAIN, codec=("-c:v", "mpeg4", "-q:v", "3")),
    "av1": replace(PLAIN, codec=AV1),
    "vp9 in webm": replace(PLAIN, codec=VP9, sound=OPUS, suffix="webm", after=()),
    "matroska": replace(PLAIN, suffix="mkv", after=()),
    "quicktime": replace(PLAIN, suffix="mov"),
    "avi": replace(
        PLAIN, codec=("-c:v", "mpeg4", "-q:v", "3"), sound=("-c:a", "mp3"), suffix="avi", after=()
    ),
    "transport stream": replace(PLAIN, suffix="ts", after=()),
    "fragments": replace(PLAIN, after=("-movflags", "frag_keyframe+empty_moov")),
    "fragments without sound": replace(
        PLAIN, sound=None, after=("-movflags", "frag_keyframe+empty_moov")
    ),
    "fragments, late index": replace(
        PLAIN, after=("-movflags", "frag_keyframe+empty_moov+delay_moov")
    ),
    "index behind": replace(PLAIN, after=()),
    "other clock": replace(PLAIN, after=("-video_track_timescale", "90000")),
    "without b pictures": replace(PLAIN, codec=(*H264, "-bf", "0")),
    "with b pictures": replace(PLAIN, codec=("-c:v", "libx264", "-preset", "fast", "-bf", "3")),
    "interlaced": replace(
        PLAIN, codec=(*H264[:4], "-flags", "+ildct+ilme", "-x264-params", "tff=1")
    ),
    "stereo": replace(PLAIN, sound_form="r=48000:cl=stereo"),
    "5.1": replace(PLAIN, sound_form="r=48000:cl=5.1"),
    "44.1 kHz": replace(PLAIN, sound_form="r=44100:cl=mono"),
    "sound ends early": replace(PLAIN, sound_seconds=1.1),
    "sound ends late": replace(PLAIN, sound_seconds=1.9),
    "sound begins late": replace(PLAIN, sound_late=0.2, sound_seconds=1.3),
}
"""Clips as providers and users deliver them, compared with the plain one."""
