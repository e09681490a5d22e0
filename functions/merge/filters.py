"""Build ffmpeg filters that convert clips of any format to the target frame. Performs no I/O."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from common.domain.output import BLUR, Fit, Output, Size, Transition
from common.media.ffmpeg import FrameFormat

_UNKNOWN = "unknown"
_HDR_TRANSFERS = {"smpte2084", "arib-std-b67"}
# Primaries that displays treat like those of BT.709; clips with others are converted.
_SDR_PRIMARIES = {"bt709", "smpte170m", "bt470bg", "smpte240m", "jedec-p22", "ebu3213"}
# SDR white is at 203 cd/m2 (ITU-R BT.2408), HDR is graded for 1,000. Levels up to 3/4 of SDR white
# are kept, so that HDR is as bright as adjacent SDR clips; brighter levels are compressed.
_TONE_MAP = f"tonemap=mobius:param=0.75:peak={1000 / 203:.3f}:desat=0"
# Matrices that `scale` supports; any other makes the whole filter graph fail.
_SCALE_MATRICES = {
    *("bt709", "smpte170m", "bt470bg", "fcc", "smpte240m", "bt2020nc"),
    *("gbr", _UNKNOWN),
}
_XFADE = {
    Transition.CROSSFADE: "fade",
    Transition.FADE: "fadeblack",
    Transition.WIPE: "wipeleft",
}
# Without these flags, a conversion of the matrix darkens every frame by a level or more.
_SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_BLUR_DIVISOR = 8  # the background is blurred at an eighth of its size


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour properties with ffmpeg's names; `unknown` if unspecified."""

    range: str
    matrix: str
    primaries: str
    transfer: str

    @classmethod
    def of(cls, frame_format: FrameFormat) -> "Colour":
        """Return the colour properties of a file."""
        return cls(
            frame_format.range, frame_format.matrix, frame_format.primaries, frame_format.transfer
        )

    def as_filter(self) -> str:
        """Return the filter that tags frames with these properties without converting them."""
        return (
            f"setparams=range={self.range}:colorspace={self.matrix}"
            f":color_primaries={self.primaries}:color_trc={self.transfer}"
        )

    def with_defaults(self, defaults: "Colour") -> "Colour":
        """Return the properties with `defaults` in place of unknown ones."""
        return Colour(
            defaults.range if self.range == _UNKNOWN else self.range,
            defaults.matrix if self.matrix == _UNKNOWN else self.matrix,
            defaults.primaries if self.primaries == _UNKNOWN else self.primaries,
            defaults.transfer if self.transfer == _UNKNOWN else self.transfer,
        )

    def assumed(self, size: Size) -> "Colour":
        """Return the properties with the defaults of players: BT.709 for HD, else BT.601."""
        is_hd = min(size) >= 720 or max(size) >= 1280
        matrix = "bt709" if is_hd else "smpte170m"
        known = replace(self, matrix=_UNKNOWN) if self.matrix == "gbr" else self
        return known.with_defaults(replace(BT709, matrix=matrix))


BT709 = Colour("tv", "bt709", "bt709", "bt709")
_BT2020 = Colour("tv", "bt2020nc", "bt2020", "bt709")  # defaults for wide-gamut clips


@dataclass(frozen=True, slots=True)
class TargetFrame:
    """The frame size, rate, fit and colour of the merged video."""

    size: Size
    rate: Fraction
    fit: Fit
    background: str
    colour: Colour

    @classmethod
    def of(cls, size: Size, rate: Fraction, output: Output, colour: Colour) -> "TargetFrame":
        """Return the target frame for the output options."""
        return cls(size, rate, output.fit, output.background, colour)


def is_hdr(frame_format: FrameFormat) -> bool:
    """Return whether a file is HDR (PQ or HLG)."""
    return frame_format.transfer in _HDR_TRANSFERS


def needs_colour_conversion(frame_format: FrameFormat) -> bool:
    """Return whether `scale` cannot convert the colours: `zscale`, in 32-bit floats, is slow."""
    return (
        frame_format.transfer in _HDR_TRANSFERS
        or frame_format.primaries not in {*_SDR_PRIMARIES, _UNKNOWN}
        or frame_format.matrix not in _SCALE_MATRICES
    )


def conform(
    stream: str, frame_format: FrameFormat, target: TargetFrame, frames: range, label: str
) -> str:
    """Return the filters that convert the `stream` (such as 0:1) to the target frame, as `label`.

    `frames` is the range of frames to take, at the target's frame rate. A stream that ends earlier
    is padded with its last frame.
    """
    colour = Colour.of(frame_format)
    input_filters = [
        "setpts=PTS-STARTPTS",
        f"fps={target.rate}:start_time=0",
        f"tpad=stop_mode=clone:stop={frames.stop}",
        f"trim=start_frame={frames.start}:end_frame={frames.stop}",
        "setpts=PTS-STARTPTS",
        "bwdif=mode=send_frame:deint=interlaced",
    ]
    size = (frame_format.width, frame_format.height)
    if needs_colour_conversion(frame_format):
        is_bt2020 = colour.transfer in _HDR_TRANSFERS or colour.primaries == "bt2020"
        defaults = _BT2020 if is_bt2020 else colour.assumed(size)
        input_filters += _to_bt709(colour.with_defaults(defaults))
        colour = BT709
    scale_options = _scale_options(colour.assumed(size), target.colour.assumed(target.size))
    fitted = _fit_filters(target, scale_options).replace("@", label)
    # Side data (HDR10, Dolby Vision, closed captions) describes the frames before conversion.
    tag = target.colour.as_filter()
    output_filters = ["setsar=1", "format=yuv420p", tag, "sidedata=mode=delete"]
    return f"[{stream}]{','.join(input_filters)},{fitted},{','.join(output_filters)}[{label}]"


def blend(first: str, second: str, transition: Transition, overlap: int, rate: Fraction) -> str:
    """Return the filter for a transition between two streams over `overlap` frames."""
    options = f"transition={_XFADE[transition]}:duration={float(overlap / rate):.9f}:offset=0"
    return f"[{first}][{second}]xfade={options}"


def burn_captions(captions: Path, fonts: Path | None, start: Fraction) -> str:
    """Return the filters that burn captions into frames beginning at `start` of the video (s)."""
    seconds = f"{float(start):.9f}"
    options = f"filename={_quote(captions)}"
    if fonts is not None:
        options += f":fontsdir={_quote(fonts)}"
    return f"setpts=PTS+{seconds}/TB,subtitles={options},setpts=PTS-{seconds}/TB"


def _fit_filters(target: TargetFrame, scale_options: str) -> str:
    """Return the filters that crop or letterbox frames of any aspect ratio into the target.

    `@` is a placeholder for the stream's label. `dar` is the display aspect ratio, which includes
    the pixel aspect ratio, so nothing is stretched.
    """
    width, height = target.size
    letterboxed = (
        f"scale=w='min({width},2*max(1,round({height}*dar/2)))'"
        f":h='min({height},2*max(1,round({width}/dar/2)))'{scale_options}"
    )
    cropped = _cover(target.size) + scale_options + f",crop={width}:{height}"
    if target.fit is Fit.CROP:
        return cropped
    if target.background != BLUR:
        colour = target.background.replace("#", "0x")
        pad = f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:{colour}"
        return f"{letterboxed},setsar=1,format=yuv420p,{pad}"
    small = (max(2, width // _BLUR_DIVISOR // 2 * 2), max(2, height // _BLUR_DIVISOR // 2 * 2))
    return (
        f"split[@in][@behind];"
        f"[@behind]{_cover(small)}{scale_options},crop={small[0]}:{small[1]},setsar=1,format=yuv420p,"
        f"gblur=sigma=4,scale={width}:{height}:flags=bicubic,eq=brightness=-0.08[@far];"
        f"[@in]{letterboxed},setsar=1,format=yuv420p[@near];"
        f"[@far][@near]overlay=(W-w)/2:(H-h)/2:format=yuv420:eof_action=endall"
    )


def _cover(size: Size) -> str:
    """Return the `scale` filter after which frames cover `size`."""
    width, height = size
    return f"scale=w='max({width},2*ceil({height}*dar/2))':h='max({height},2*ceil({width}/dar/2))'"


def _scale_options(source: Colour, destination: Colour) -> str:
    """Return the options of `scale` that convert colours while scaling."""
    return (
        f":flags={_SCALE_FLAGS}:in_range={source.range}:out_range={destination.range}"
        f":in_color_matrix={source.matrix}:out_color_matrix={destination.matrix}"
    )


def _to_bt709(colour: Colour) -> list[str]:
    """Return the filters that convert HDR, wide-gamut or unusual colours to BT.709."""
    if colour.transfer in _HDR_TRANSFERS:
        # Displays decode BT.709 video with a curve close to that of sRGB.
        tone_mapping, output_transfer = [_TONE_MAP], "iec61966-2-1"
    else:
        # SDR transfer curves are displayed alike; converting between them would change brightness.
        colour, tone_mapping, output_transfer = replace(colour, transfer="bt709"), [], "bt709"
    return [
        colour.as_filter(),  # zscale needs all four properties
        "zscale=transfer=linear:npl=203",
        "format=gbrpf32le",
        "zscale=primaries=bt709",
        *tone_mapping,
        f"zscale=transfer={output_transfer}:matrix=bt709:range=tv",
        "format=yuv420p",
    ]


def _quote(path: Path) -> str:
    """Escape a path for a filter option in a filter graph, which needs two levels of escapes."""
    quoted = "".join(f"\\{char}" if char in "\\':" else char for char in str(path))
    return "".join(f"\\{char}" if char in "\\'[],;" else char for char in quoted)
