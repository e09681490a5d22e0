"""What a finished video shall be like: container, frame, joints between scenes. Touches nothing.

The defaults are a plain cut: the clips one after the other, as they came, in MP4.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from common.domain.errors import InvalidInput

Size = tuple[int, int]
"""Width and height in pixels."""

BLUR = "blur"
"""The background that is the picture itself, enlarged and blurred."""

LEAST_SIDE, MOST_SIDE, MOST_PIXELS = 64, 4096, 3840 * 2160
LEAST_FPS, MOST_FPS = 1, 60
LEAST_TRANSITION, MOST_TRANSITION = 0.1, 2.0  # seconds
MOST_RENDITIONS = 4

_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_WIDEST = 4


class Format(StrEnum):
    """The container, and with it the codecs."""

    MP4 = "mp4"  # H.264, and AAC if there is sound; the index first
    WEBM = "webm"  # VP9, and Opus if there is sound

    @property
    def media_type(self) -> str:
        """The IANA type."""
        return f"video/{self.value}"


class Fit(StrEnum):
    """How a picture of another shape is brought into the frame. Nothing is ever stretched."""

    PAD = "pad"  # whole, with a background beside it
    CROP = "crop"  # filling the frame, cut from the centre


class Transition(StrEnum):
    """How one scene becomes the next. All but a cut overlap the two scenes."""

    CUT = "cut"
    CROSSFADE = "crossfade"
    FADE = "fade"  # through black
    WIPE = "wipe"


class OnBroken(StrEnum):
    """What becomes of a clip that cannot be read."""

    FAIL = "fail"
    SKIP = "skip"
    STILL = "still"  # the scene's picture is held for the length of the clip


class Loudness(StrEnum):
    """How loud the video is."""

    AUTO = "auto"  # -14 LUFS, but sound that can be copied is copied as it came
    NORMALIZED = "normalized"  # -14 LUFS
    ORIGINAL = "original"  # as clips, music and narration come


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a frame: a ratio such as 9:16, a size in pixels, or neither (as it comes).

    A ratio alone keeps the shorter side of the video that it is made from.
    """

    ratio: str | None = None
    size: Size | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None:
            _check_ratio(self.ratio)
        if self.size is not None:
            _check_size(self.size)
        if self.ratio is not None and self.size is not None:
            width, height = (int(part) for part in self.ratio.split(":"))
            # Sides are even, so a size may miss its ratio by a pixel either way.
            if abs(self.size[0] * height - self.size[1] * width) > 2 * max(width, height):
                raise InvalidInput(
                    f"A size of {self.size[0]}x{self.size[1]} is not of the ratio {self.ratio}.",
                    field="output.size",
                    allowed="a size of the given ratio, or only one of the two",
                )

    def of(self, natural: Size) -> Size:
        """Return the size in pixels, with even sides, for a video whose own size is `natural`."""
        if self.size is not None:
            return self.size
        if self.ratio is None:
            return _even(natural[0]), _even(natural[1])
        width, height = (int(part) for part in self.ratio.split(":"))
        short = min(natural)
        if width >= height:
            return _even(short * width / height), _even(short)
        return _even(short), _even(short * height / width)


AS_IT_COMES = Shape()


@dataclass(frozen=True, slots=True)
class Output:
    """Everything that may be asked of the finished video.

    `fps` is pictures a second, `transition_seconds` how long two scenes overlap; `renditions` are
    further shapes that are made in the same run, with the same joints and sound.
    """

    format: Format = Format.MP4
    shape: Shape = AS_IT_COMES
    fit: Fit = Fit.PAD
    background: str = "#000000"  # or BLUR
    fps: Fraction | None = None
    transition: Transition = Transition.CUT
    transition_seconds: float = 0.5
    on_broken: OnBroken = OnBroken.FAIL
    renditions: tuple[Shape, ...] = ()
    captions_burned: bool = False
    loudness: Loudness = Loudness.AUTO

    def __post_init__(self) -> None:
        if self.background != BLUR and not _COLOUR.fullmatch(self.background):
            raise InvalidInput(
                "The background is neither a colour nor a blur.",
                field="output.background",
                allowed=["#rrggbb", BLUR],
            )
        if self.fps is not None and not LEAST_FPS <= self.fps <= MOST_FPS:
            raise InvalidInput(
                f"{float(self.fps):g} pictures a second cannot be made.",
                field="output.fps",
                allowed=f"{LEAST_FPS} to {MOST_FPS}",
            )
        if not LEAST_TRANSITION <= self.transition_seconds <= MOST_TRANSITION:
            raise InvalidInput(
                f"A transition cannot last {self.transition_seconds:g} s.",
                field="output.transition_seconds",
                allowed=f"{LEAST_TRANSITION} to {MOST_TRANSITION}",
            )
        if len(self.renditions) > MOST_RENDITIONS or AS_IT_COMES in self.renditions:
            raise InvalidInput(
                "Too many renditions, or one without a ratio or size.",
                field="output.renditions",
                allowed=f"up to {MOST_RENDITIONS}, each with a ratio or a size",
            )


PLAIN = Output()
"""The clips one after the other, as they came."""


def _even(side: float) -> int:
    return max(LEAST_SIDE, round(side / 2) * 2)


def _check_ratio(ratio: str) -> None:
    match = _RATIO.fullmatch(ratio)
    if match is None or not 1 / _WIDEST <= int(match[1]) / int(match[2]) <= _WIDEST:
        raise InvalidInput(
            "The ratio is not one of width to height that can be made.",
            field="output.ratio",
            allowed=f"such as 16:9, 9:16 or 1:1; at most {_WIDEST}:1",
        )


def _check_size(size: Size) -> None:
    width, height = size
    if (
        width % 2
        or height % 2
        or not (min(size) >= LEAST_SIDE and max(size) <= MOST_SIDE)
        or width * height > MOST_PIXELS
        or max(size) > _WIDEST * min(size)
    ):
        raise InvalidInput(
            f"A size of {width}x{height} cannot be made.",
            field="output.size",
            allowed=f"even sides of {LEAST_SIDE} to {MOST_SIDE}, at most {MOST_PIXELS} pixels, "
            f"at most {_WIDEST}:1",
        )
