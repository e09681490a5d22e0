"""ffmpeg's filters that bring pictures of any kind into the frame of the cut. Touches nothing."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from common.domain.output import BLUR, Fit, Output, Size, Transition
from common.media.ffmpeg import Look

_UNKNOWN = "unknown"
_HIGH_DYNAMIC = {"smpte2084", "arib-std-b67"}
# Primaries that screens of today take for those of BT.709; the others are converted.
_STANDARD_PRIMARIES = {"bt709", "smpte170m", "bt470bg", "smpte240m", "jedec-p22", "ebu3213"}
# SDR white is at 203 cd/m2 (ITU-R BT.2408), HDR is graded for 1,000. Up to 3/4 of SDR white nothing
# is changed, so that HDR is as bright as SDR beside it; what is brighter is pressed into the rest.
_TONE_MAP = f"tonemap=mobius:param=0.75:peak={1000 / 203:.3f}:desat=0"
# Matrices that `scale` can read; with the others, it refuses the whole graph.
_SCALED = {
    *("bt709", "smpte170m", "bt470bg", "fcc", "smpte240m", "bt2020nc"),
    *("gbr", _UNKNOWN),
}
_XFADE = {
    Transition.CROSSFADE: "fade",
    Transition.FADE: "fadeblack",
    Transition.WIPE: "wipeleft",
}
# Without these, changing the matrix darkens every picture by a level or more.
_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_BLUR_SHARE = 8  # the background is blurred at an eighth of its size, and darkened


@dataclass(frozen=True, slots=True)
class Colour:
    """How the numbers of pixels mean colours, in ffmpeg's words; `unknown` says nothing."""

    range: str
    matrix: str
    primaries: str
    transfer: str

    @classmethod
    def of(cls, look: Look) -> "Colour":
        """Return what a file says."""
        return cls(look.range, look.matrix, look.primaries, look.transfer)

    def named(self) -> str:
        """Return the filter that says so of pictures, and changes nothing else."""
        return (
            f"setparams=range={self.range}:colorspace={self.matrix}"
            f":color_primaries={self.primaries}:color_trc={self.transfer}"
        )

    def over(self, usual: "Colour") -> "Colour":
        """Return what it says, and the usual where it says nothing."""
        return Colour(
            usual.range if self.range == _UNKNOWN else self.range,
            usual.matrix if self.matrix == _UNKNOWN else self.matrix,
            usual.primaries if self.primaries == _UNKNOWN else self.primaries,
            usual.transfer if self.transfer == _UNKNOWN else self.transfer,
        )

    def meant(self, size: Size) -> "Colour":
        """Return what players take it for where it says nothing: by the size, as for television."""
        high = min(size) >= 720 or max(size) >= 1280
        matrix = "bt709" if high else "smpte170m"
        own = replace(self, matrix=_UNKNOWN) if self.matrix == "gbr" else self
        return own.over(replace(HIGH_DEFINITION, matrix=matrix))


HIGH_DEFINITION = Colour("tv", "bt709", "bt709", "bt709")
_WIDE = Colour("tv", "bt2020nc", "bt2020", "bt709")  # what goes with wide primaries


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame that all pictures are brought into."""

    size: Size
    rate: Fraction
    fit: Fit
    background: str
    colour: Colour

    @classmethod
    def of(cls, size: Size, rate: Fraction, output: Output, colour: Colour) -> "Frame":
        """Return the frame of a cut."""
        return cls(size, rate, output.fit, output.background, colour)


def is_high_dynamic(look: Look) -> bool:
    """Say whether the file is HDR (PQ or HLG)."""
    return look.transfer in _HIGH_DYNAMIC


def is_converted(look: Look) -> bool:
    """Say whether the colours need another way than `scale` has: a slow one, in 32-bit numbers."""
    return (
        look.transfer in _HIGH_DYNAMIC
        or look.primaries not in {*_STANDARD_PRIMARIES, _UNKNOWN}
        or look.matrix not in _SCALED
    )


def brought_in(stream: str, look: Look, frame: Frame, take: range, label: str) -> str:
    """Return the filters that bring the `stream` (such as 0:1) into the frame, as stream `label`.

    `take` are the pictures wanted, counted at the frame's rate from the first picture; a file that
    ends before them is held at its last picture.
    """
    colour = Colour.of(look)
    steps = [
        "setpts=PTS-STARTPTS",
        f"fps={frame.rate}:start_time=0",
        f"tpad=stop_mode=clone:stop={take.stop}",
        f"trim=start_frame={take.start}:end_frame={take.stop}",
        "setpts=PTS-STARTPTS",
        "bwdif=mode=send_frame:deint=interlaced",
    ]
    natural = (look.width, look.height)
    if is_converted(look):
        is_wide = colour.transfer in _HIGH_DYNAMIC or colour.primaries == "bt2020"
        steps += _to_standard_range(colour.over(_WIDE if is_wide else colour.meant(natural)))
        colour = HIGH_DEFINITION
    fitted = _fitted(frame, _scaling(colour.meant(natural), frame.colour.meant(frame.size)))
    # Side data (of HDR10, Dolby Vision, captions in the stream) tells of pictures as they were.
    last = ["setsar=1", "format=yuv420p", frame.colour.named(), "sidedata=mode=delete"]
    return (
        f"[{stream}]{','.join(steps)}," + fitted.replace("@", label) + f",{','.join(last)}[{label}]"
    )


def blended(one: str, other: str, transition: Transition, shared: int, rate: Fraction) -> str:
    """Return the filter that turns `shared` pictures of one stream into those of the other."""
    seconds = float(shared / rate)
    return f"[{one}][{other}]xfade=transition={_XFADE[transition]}:duration={seconds:.9f}:offset=0"


def captioned(captions: Path, fonts: Path | None, start: Fraction) -> str:
    """Return the filters that write captions onto pictures that begin at `start` of the cut."""
    seconds = f"{float(start):.9f}"
    options = f"filename={_quoted(captions)}"
    if fonts is not None:
        options += f":fontsdir={_quoted(fonts)}"
    return f"setpts=PTS+{seconds}/TB,subtitles={options},setpts=PTS-{seconds}/TB"


def _fitted(frame: Frame, scaling: str) -> str:
    """Return the filters that fit a picture of any shape and pixel shape into the frame.

    `@` stands for a name that is this stream's own. `dar` is the shape in which the picture is
    shown, whatever its pixels are like, so nothing is stretched.
    """
    width, height = frame.size
    inside = (
        f"scale=w='min({width},2*max(1,round({height}*dar/2)))'"
        f":h='min({height},2*max(1,round({width}/dar/2)))'{scaling}"
    )
    filling = _filling(frame.size) + scaling + f",crop={width}:{height}"
    if frame.fit is Fit.CROP:
        return filling
    if frame.background != BLUR:
        colour = frame.background.replace("#", "0x")
        return f"{inside},setsar=1,format=yuv420p,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:{colour}"
    small = (max(2, width // _BLUR_SHARE // 2 * 2), max(2, height // _BLUR_SHARE // 2 * 2))
    return (
        f"split[@in][@behind];"
        f"[@behind]{_filling(small)}{scaling},crop={small[0]}:{small[1]},setsar=1,format=yuv420p,"
        f"gblur=sigma=4,scale={width}:{height}:flags=bicubic,eq=brightness=-0.08[@far];"
        f"[@in]{inside},setsar=1,format=yuv420p[@near];"
        f"[@far][@near]overlay=(W-w)/2:(H-h)/2:format=yuv420:eof_action=endall"
    )


def _filling(size: Size) -> str:
    width, height = size
    return f"scale=w='max({width},2*ceil({height}*dar/2))':h='max({height},2*ceil({width}/dar/2))'"


def _scaling(given: Colour, wanted: Colour) -> str:
    """Return the options of `scale` that convert colours while scaling."""
    return (
        f":flags={_EXACT}:in_range={given.range}:out_range={wanted.range}"
        f":in_color_matrix={given.matrix}:out_color_matrix={wanted.matrix}"
    )


def _to_standard_range(colour: Colour) -> list[str]:
    """Return the filters that turn high dynamic range, or wide or odd colours, into BT.709."""
    if colour.transfer in _HIGH_DYNAMIC:
        # Screens show the result with about the curve of sRGB, whatever BT.709 says.
        mapped, curve = [_TONE_MAP], "iec61966-2-1"
    else:
        # The curves of SDR differ in name only; converting between them would change brightness.
        colour, mapped, curve = replace(colour, transfer="bt709"), [], "bt709"
    return [
        colour.named(),  # all four: from half of them there is no way to another colour space
        "zscale=transfer=linear:npl=203",
        "format=gbrpf32le",
        "zscale=primaries=bt709",
        *mapped,
        f"zscale=transfer={curve}:matrix=bt709:range=tv",
        "format=yuv420p",
    ]


def _quoted(path: Path) -> str:
    """Quote a path for an option of a filter within a graph: two levels of escapes."""
    option = "".join(f"\\{sign}" if sign in "\\':" else sign for sign in str(path))
    return "".join(f"\\{sign}" if sign in "\\'[],;" else sign for sign in option)
