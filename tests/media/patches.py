"""Clips with colour patches in every colour coding, and the colours displayed afterwards.

Each clip shows the same sRGB colours side by side. In HDR, white is at 203 cd/m2 (ITU-R BT.2408)
and the transfer functions are those of ITU-R BT.2100.
"""

import math
import subprocess
from pathlib import Path

from tests.media.coded import FFMPEG

Rgb = tuple[int, int, int]
COLOURS: dict[str, Rgb] = {
    "white": (255, 255, 255),
    "light grey": (192, 192, 192),
    "grey": (128, 128, 128),
    "dark grey": (40, 40, 40),
    "black": (0, 0, 0),
    "skin": (200, 140, 110),
    "leaves": (87, 108, 67),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}
SIDE = 64
SIZE = (SIDE * len(COLOURS), 360)
_WHITE, _PEAK = 203.0, 1000.0
_BT2020 = (
    (0.627404, 0.329283, 0.043313),
    (0.069097, 0.91954, 0.011362),
    (0.016391, 0.088013, 0.895595),
)
_P3 = ((0.822462, 0.177538, 0.0), (0.033194, 0.966806, 0.0), (0.017083, 0.072397, 0.91052))
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# Primaries, transfer and matrix as ffmpeg names them, and the range.
CODINGS: dict[str, tuple[str, str, str, str]] = {
    "BT.709": ("bt709", "bt709", "bt709", "tv"),
    "BT.709, full range": ("bt709", "bt709", "bt709", "pc"),
    "601 of NTSC": ("smpte170m", "smpte170m", "smpte170m", "tv"),
    "601 of PAL": ("bt470bg", "smpte170m", "bt470bg", "tv"),
    "Display P3": ("smpte432", "bt709", "bt709", "tv"),
    "Display P3, sRGB": ("smpte432", "iec61966-2-1", "smpte170m", "tv"),
    "BT.2020": ("bt2020", "bt2020-10", "bt2020nc", "tv"),
    "PQ": ("bt2020", "smpte2084", "bt2020nc", "tv"),
    "PQ, HDR10": ("bt2020", "smpte2084", "bt2020nc", "tv"),
    "HLG": ("bt2020", "arib-std-b67", "bt2020nc", "tv"),
    "PQ by half": ("bt2020", "smpte2084", "bt2020nc", "tv"),
    "HLG by half": ("bt2020", "arib-std-b67", "bt2020nc", "tv"),
}
HDR_CODINGS = [name for name in CODINGS if "PQ" in name or "HLG" in name]
_HDR10 = (
    ":hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
    "L(10000000,1):max-cll=1000,400"
)


def clip(path: Path, coding: str, *, frames: int = 24) -> Path:
    """Write a clip of the colours in the coding, as 10-bit HEVC."""
    primaries, transfer, matrix, levels = CODINGS[coding]
    row = b"".join(_pack(colour, coding) * SIDE for colour in COLOURS.values())
    params = f"log-level=none:transfer={transfer}"
    if "by half" in coding:
        primaries = matrix = "unknown"
    else:
        params += f":colorprim={primaries}:colormatrix={matrix}"
    params += f":range={'full' if levels == 'pc' else 'limited'}"
    params += _HDR10 if coding == "PQ, HDR10" else ""
    named = {"bt2020nc": "bt2020", "unknown": "bt2020"}.get(matrix, matrix)
    command = [FFMPEG, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-r", "24"]
    command += ["-s", f"{SIZE[0]}x{SIZE[1]}", "-i", "pipe:0", "-vf"]
    scaled = f"scale=out_color_matrix={named}:out_range={levels}:flags=accurate_rnd+full_chroma_int"
    tags = f"setparams=colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}"
    command += [f"{scaled},{tags}:range={levels},format=yuv420p10le"]
    command += ["-c:v", "libx265", "-preset", "ultrafast", "-crf", "4", "-x265-params", params]
    subprocess.run([*command, "-y", str(path)], input=row * SIZE[1] * frames, check=True)
    return path


def displayed_colours(video: Path, *, at: float = 0) -> dict[str, Rgb]:
    """Return the displayed colours of a video in BT.709."""
    command = [FFMPEG, "-v", "error", "-ss", str(at), "-i", str(video), "-frames:v", "1", "-vf"]
    command += [
        "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int,format=rgb24"
    ]
    command += ["-f", "rawvideo", "-"]
    frame = subprocess.run(command, capture_output=True, check=True).stdout
    middle = SIZE[1] // 2 * SIZE[0] * 3
    colours: dict[str, Rgb] = {}
    for number, name in enumerate(COLOURS):
        start = middle + (number * SIDE + SIDE // 2) * 3
        red, green, blue = frame[start : start + 3]
        colours[name] = red, green, blue
    return colours


def _pack(colour: Rgb, coding: str) -> bytes:
    values = _encode([_linear(value / 255) for value in colour], coding)
    return b"".join(round(min(1, max(0, v)) * 65535).to_bytes(2, "little") for v in values)


def _encode(light: list[float], coding: str) -> list[float]:
    primaries, transfer, _, _ = CODINGS[coding]
    matrix = {"bt2020": _BT2020, "smpte432": _P3}.get(primaries, _IDENTITY)
    converted = [sum(a * b for a, b in zip(row, light, strict=True)) for row in matrix]
    if transfer == "smpte2084":
        return [_pq(value * _WHITE / 10_000) for value in converted]
    if transfer == "arib-std-b67":
        return _hlg([value * _WHITE / _PEAK for value in converted])
    return [_srgb(value) for value in converted]


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _srgb(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


def _pq(light: float) -> float:
    power = float(max(0.0, light) ** (2610 / 16384))
    top = 3424 / 4096 + 2413 / 128 * power
    return float((top / (1 + 2392 / 128 * power)) ** (2523 / 32))


def _hlg(light: list[float]) -> list[float]:
    """The inverse of HLG's reference OOTF (gamma 1.2), then its OETF."""
    luminance = 0.2627 * light[0] + 0.678 * light[1] + 0.0593 * light[2]
    scene = [value * luminance ** (1 / 1.2 - 1) if luminance > 0 else 0.0 for value in light]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return [
        math.sqrt(3 * max(0.0, value)) if value <= 1 / 12 else a * math.log(12 * value - b) + c
        for value in scene
    ]
