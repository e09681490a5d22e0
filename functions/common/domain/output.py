"""Output settings of the finished video: container, frame, transitions, loudness.

The defaults concatenate the clips as an MP4 file, by stream copy where that is possible.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from common.domain.errors import InvalidInput

Size = tuple[int, int]
"""Width and height in pixels."""

BLUR = "blur"
"""The background that is the frame itself, enlarged and blurred."""

LEAST_SIDE, MOST_SIDE, MOST_PIXELS = 64, 4096, 3840 * 2160
LEAST_FPS, MOST_FPS = 1, 60
LEAST_TRANSITION, MOST_TRANSITION = 0.1, 2.0  # seconds
MOST_RENDITIONS = 4

_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")
_COLOR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_WIDEST = 4


class Format(StrEnum):
    """The container, which also determines the codecs."""

    MP4 = "mp4"  # H.264, and AAC if there is audio; faststart (`moov` before `mdat`)
    WEBM = "webm"  # VP9, and Opus if there is audio

    @property
    def media_type(self) -> str:
        """The IANA media type."""
        return f"video/{self.value}"


class Fit(StrEnum):
    """The fit of clips with another aspect ratio than the frame. Nothing is ever stretched."""

    PAD = "pad"  # letterbox or pillarbox, filled with the background
    CROP = "crop"  # fill the frame and crop at the center


class Transition(StrEnum):
    """The transition between two scenes. All except a cut overlap the scenes."""

    CUT = "cut"
    CROSSFADE = "crossfade"
    FADE = "fade"  # through black
    WIPE = "wipe"


class OnBroken(StrEnum):
    """The handling of a clip that cannot be decoded."""

    FAIL = "fail"
    SKIP = "skip"
    STILL = "still"  # show the scene's image for the duration of the clip


class Loudness(StrEnum):
    """The loudness of the video."""

    AUTO = "auto"  # -14 LUFS, except for audio that can be stream-copied
    NORMALIZED = "normalized"  # -14 LUFS
    ORIGINAL = "original"  # the levels of clips, music and narration, unchanged


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a frame: a ratio such as 9:16, a size in pixels, or neither (unchanged).

    A ratio without a size keeps the shorter side of the source.
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
            # Sides are even, so a size may deviate from its ratio by a pixel.
            if abs(self.size[0] * height - self.size[1] * width) > 2 * max(width, height):
                raise InvalidInput(
                    f"The size {self.size[0]}x{self.size[1]} does not have the ratio {self.ratio}.",
                    field="output.size",
                    allowed="a size with that ratio, or only one of `size` and `ratio`",
                )

    def of(self, natural: Size) -> Size:
        """Return the size in pixels, with even sides, for a source of the size `natural`."""
        if self.size is not None:
            return self.size
        if self.ratio is None:
            return _even(natural[0]), _even(natural[1])
        width, height = (int(part) for part in self.ratio.split(":"))
        short = min(natural)
        if width >= height:
            return _even(short * width / height), _even(short)
        return _even(short), _even(short * height / width)


UNCHANGED = Shape()


@dataclass(frozen=True, slots=True)
class Output:
    """The output settings of a video.

    `fps` is the frame rate, `transition_seconds` the overlap of two scenes. `renditions` are
    further shapes that are made in the same run, with the same transitions and audio.
    """

    format: Format = Format.MP4
    shape: Shape = UNCHANGED
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
        if self.background != BLUR and not _COLOR.fullmatch(self.background):
            raise InvalidInput(
                f"The background is neither a color nor `{BLUR}`.",
                field="output.background",
                allowed=["#rrggbb", BLUR],
            )
        if self.fps is not None and not LEAST_FPS <= self.fps <= MOST_FPS:
            raise InvalidInput(
                f"A frame rate of {float(self.fps):g} is not supported.",
                field="output.fps",
                allowed=f"{LEAST_FPS} to {MOST_FPS}",
            )
        if not LEAST_TRANSITION <= self.transition_seconds <= MOST_TRANSITION:
            raise InvalidInput(
                f"A transition of {self.transition_seconds:g} s is not supported.",
                field="output.transition_seconds",
                allowed=f"{LEAST_TRANSITION} to {MOST_TRANSITION}",
            )
        if len(self.renditions) > MOST_RENDITIONS or UNCHANGED in self.renditions:
            raise InvalidInput(
                "There are too many renditions, or one has neither a ratio nor a size.",
                field="output.renditions",
                allowed=f"up to {MOST_RENDITIONS}, each with a ratio or a size",
            )


PLAIN = Output()
"""The default output: the clips concatenated, unchanged."""


def _even(side: float) -> int:
    return max(LEAST_SIDE, round(side / 2) * 2)


def _check_ratio(ratio: str) -> None:
    match = _RATIO.fullmatch(ratio)
    if match is None or not 1 / _WIDEST <= int(match[1]) / int(match[2]) <= _WIDEST:
        raise InvalidInput(
            "The ratio is not supported.",
            field="output.ratio",
            allowed=f"width:height, such as 16:9, 9:16 or 1:1; at most {_WIDEST}:1 or 1:{_WIDEST}",
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
            f"The size {width}x{height} is not supported.",
            field="output.size",
            allowed=f"even sides of {LEAST_SIDE} to {MOST_SIDE}, at most {MOST_PIXELS} pixels, "
            f"at most {_WIDEST}:1",
        )
