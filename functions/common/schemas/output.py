"""Request models for the output of a video: format, size, captions, narration and music."""

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from common.domain import output
from common.domain.languages import is_language
from common.schemas.base import RequestSchema

_MEDIA_ID = r"^med_[0-9A-Z]{26}$"
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,8}$"  # BCP 47

Ratio = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")]
Size = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,3}x[1-9][0-9]{1,3}$")]
_RATIO = Field(None, description="Ratio of width to height, for example 16:9.", examples=["9:16"])
_SIZE = Field(
    None, description="Width and height in pixels; both must be even.", examples=["1080x1920"]
)


class FrameSpec(RequestSchema):
    """The frame of a rendition: a ratio, or a size in pixels."""

    ratio: Ratio | None = _RATIO
    size: Size | None = _SIZE

    def shape(self) -> output.Shape:
        """Convert to the domain type; raises InvalidInput for an unsupported shape."""
        return output.Shape(self.ratio, _pixels(self.size))


class CaptionsSpec(RequestSchema):
    """Settings for captions. Every video has them as SRT and WebVTT files."""

    burn: bool = Field(
        False,
        description="Also burn the captions into the video. Scenes with characters that no bundled "
        "font supports have captions only in the files; `warnings` lists them.",
    )


def _language_tag(value: object) -> object:
    """Convert a POSIX or Java locale such as `pt_BR.UTF-8` to its language tag."""
    if not isinstance(value, str):
        return value
    return re.split(r"[.@]", value.strip(), maxsplit=1)[0].replace("_", "-")


def _known_language(tag: str) -> str:
    if not is_language(tag):
        raise ValueError(f"{tag} is not a known language.")
    return tag


class NarrationSpec(RequestSchema):
    """Settings for the narration: spoken text for each scene."""

    voice: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")] | None = Field(
        None, description="A voice of the speech model."
    )
    language: (
        Annotated[
            str,
            StringConstraints(max_length=40, pattern=_LANGUAGE),
            AfterValidator(_known_language),
            BeforeValidator(_language_tag),
        ]
        | None
    ) = Field(
        None,
        description="Language tag (BCP 47). Default: the language of the prompt. `warnings` states "
        "whether a model does not support it.",
        examples=["de", "pt-BR"],
    )


class MusicSpec(RequestSchema):
    """Settings for background music."""

    media: Annotated[str, StringConstraints(pattern=_MEDIA_ID)] = Field(
        description="Id of one of your media objects that has audio."
    )
    volume: float = Field(
        0.3,
        ge=0,
        le=1,
        strict=False,
        description="Volume relative to the narration: 0 is silent, 1 is equally loud.",
    )
    fade_in: float = Field(
        0.5,
        ge=0,
        le=10,
        strict=False,
        description="Duration of the fade-in in seconds; at most half of the video.",
    )
    fade_out: float = Field(
        1.5,
        ge=0,
        le=10,
        strict=False,
        description="Duration of the fade-out in seconds; at most half of the video.",
    )
    loop: bool = Field(True, description="Whether to repeat music that is shorter than the video.")
    duck: bool = Field(True, description="Whether to lower the volume during narration (ducking).")


class MergeSpec(RequestSchema):
    """Settings for merging clips. Default: concatenated, as MP4."""

    format: Literal["mp4", "webm"] = Field(
        "mp4", description="Container: `mp4` (H.264, AAC) or `webm` (VP9, Opus)."
    )
    ratio: Ratio | None = _RATIO
    size: Size | None = _SIZE
    fit: Literal["pad", "crop"] = Field(
        "pad",
        description="How to fit clips with another ratio: `pad` adds bars, `crop` fills the frame.",
    )
    background: Annotated[str, StringConstraints(pattern=r"^(blur|#[0-9a-fA-F]{6})$")] = Field(
        "#000000", description="Color of the bars as `#rrggbb`, or `blur`."
    )
    fps: float | None = Field(
        None,
        ge=output.LEAST_FPS,
        le=output.MOST_FPS,
        strict=False,
        description="Frames per second. Default: that of the clips.",
    )
    transition: Literal["cut", "crossfade", "fade", "wipe"] = Field(
        "cut", description="Transition between scenes; `fade` goes through black."
    )
    transition_seconds: float = Field(
        0.5,
        ge=output.LEAST_TRANSITION,
        le=output.MOST_TRANSITION,
        strict=False,
        description="Duration of a transition in seconds; at most half of the shorter scene.",
    )
    on_broken: Literal["fail", "skip", "still"] = Field(
        "fail",
        description="How to handle an unreadable clip: `fail` the run, `skip` the scene, or use "
        "the scene's image as a `still`.",
    )
    renditions: list[FrameSpec] = Field(
        default_factory=list,
        max_length=output.MOST_RENDITIONS,
        description="Additional versions of the video in other ratios or sizes.",
    )
    preview: Literal["none", "gif", "webp"] = Field(
        "none", description="Format of a small animated preview without audio."
    )
    loudness: Literal["normalized", "auto", "original"] = Field(
        "normalized",
        description="`normalized`: -14 LUFS with a true peak of at most -1 dBTP. `auto`: the same, "
        "but the audio of clips is stream-copied where possible, which is faster. `original`: the "
        "levels of clips, narration and music are not changed.",
    )
    captions: CaptionsSpec = Field(default_factory=CaptionsSpec)  # type: ignore[arg-type]  # all have defaults
    music: MusicSpec | None = Field(default=None, description="Background music. Default: none.")

    def to_output(self) -> output.Output:
        """Convert to the domain type; raises InvalidInput for unsupported settings."""
        return output.Output(
            format=output.Format(self.format),
            shape=output.Shape(self.ratio, _pixels(self.size)),
            fit=output.Fit(self.fit),
            background=self.background.lower(),
            fps=_rate(self.fps),
            transition=output.Transition(self.transition),
            transition_seconds=self.transition_seconds,
            on_broken=output.OnBroken(self.on_broken),
            renditions=tuple(frame.shape() for frame in self.renditions),
            captions_burned=self.captions.burn,
            loudness=output.Loudness(self.loudness),
        )


class OutputSpec(MergeSpec):
    """Settings for the output of a video: those for merging, and the narration."""

    narration: NarrationSpec | None = Field(default=None, description="Narration. Default: none.")


def _pixels(size: str | None) -> output.Size | None:
    if size is None:
        return None
    width, height = size.split("x")
    return int(width), int(height)


def _rate(fps: float | None) -> Fraction | None:
    """Return the exact frame rate: 29.97 is 30000/1001."""
    if fps is None:
        return None
    for whole in (24, 30, 60):
        if abs(fps - whole * 1000 / 1001) < 0.006:
            return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)
