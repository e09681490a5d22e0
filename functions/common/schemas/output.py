"""What a client may ask of the finished video: the field `output` of a wish."""

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
_RATIO = Field(None, description="Width to height.", examples=["9:16"])
_SIZE = Field(None, description="Width and height in pixels, both even.", examples=["1080x1920"])


class FrameSpec(RequestSchema):
    """The shape of a frame: a ratio, or a size in pixels."""

    ratio: Ratio | None = _RATIO
    size: Size | None = _SIZE

    def shape(self) -> output.Shape:
        """Return the noun; raises InvalidInput for a shape that cannot be made."""
        return output.Shape(self.ratio, _pixels(self.size))


class CaptionsSpec(RequestSchema):
    """Captions lie beside every video as SRT and WebVTT."""

    burn: bool = Field(
        False,
        description="Draw them into the picture too. `warnings` name the scenes whose letters no "
        "bundled font has; their captions are in the files alone.",
    )


def _language_tag(sent: object) -> object:
    """Read a POSIX or Java locale such as `pt_BR.UTF-8` as the language tag that it means."""
    if not isinstance(sent, str):
        return sent
    return re.split(r"[.@]", sent.strip(), maxsplit=1)[0].replace("_", "-")


def _known_language(tag: str) -> str:
    if not is_language(tag):
        raise ValueError(f"{tag} names no language.")
    return tag


class NarrationSpec(RequestSchema):
    """Somebody tells the story, a few words for each scene."""

    voice: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")] | None = Field(
        None, description="One of the model's voices (`GET /v1/models`)."
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
        description="BCP 47; by itself that of the prompt. `warnings` say if a model cannot tell "
        "or speak it.",
        examples=["de", "pt-BR"],
    )


class MusicSpec(RequestSchema):
    """Music under the whole video."""

    media: Annotated[str, StringConstraints(pattern=_MEDIA_ID)] = Field(
        description="Id of an upload or a media object of the caller that has sound."
    )
    volume: float = Field(
        0.3,
        ge=0,
        le=1,
        strict=False,
        description="How loud any music is against the narration: 0 is silent, 1 is as loud.",
    )
    fade_in: float = Field(
        0.5, ge=0, le=10, strict=False, description="Seconds; at most half of the video."
    )
    fade_out: float = Field(
        1.5, ge=0, le=10, strict=False, description="Seconds; at most half of the video."
    )
    loop: bool = Field(True, description="Begin again where it is shorter than the video.")
    duck: bool = Field(True, description="Lower it while somebody speaks.")


class MergeSpec(RequestSchema):
    """What a cut of clips that are there shall be like. By itself: one after the other, as MP4."""

    format: Literal["mp4", "webm"] = Field("mp4", description="H.264 with AAC, or VP9 with Opus.")
    ratio: Ratio | None = _RATIO
    size: Size | None = _SIZE
    fit: Literal["pad", "crop"] = Field(
        "pad", description="How clips of another shape are brought into the frame."
    )
    background: Annotated[str, StringConstraints(pattern=r"^(blur|#[0-9a-fA-F]{6})$")] = Field(
        "#000000", description="Beside a padded picture: `#rrggbb`, or `blur`."
    )
    fps: float | None = Field(
        None,
        ge=output.LEAST_FPS,
        le=output.MOST_FPS,
        strict=False,
        description="Pictures a second; by itself as the clips come.",
    )
    transition: Literal["cut", "crossfade", "fade", "wipe"] = Field(
        "cut", description="How one scene becomes the next; `fade` goes through black."
    )
    transition_seconds: float = Field(
        0.5,
        ge=output.LEAST_TRANSITION,
        le=output.MOST_TRANSITION,
        strict=False,
        description="How long two scenes overlap; at most half of the shorter one.",
    )
    on_broken: Literal["fail", "skip", "still"] = Field(
        "fail", description="What becomes of a clip that cannot be read."
    )
    renditions: list[FrameSpec] = Field(
        default_factory=list,
        max_length=output.MOST_RENDITIONS,
        description="The same video in further shapes.",
    )
    preview: Literal["none", "gif", "webp"] = Field(
        "none", description="A small moving picture without sound."
    )
    loudness: Literal["normalized", "auto", "original"] = Field(
        "normalized",
        description="`normalized`: -14 LUFS with peaks of at most -1 dBTP. `auto`: the same, but "
        "sound of clips that needs no encoding is copied as it came, which is faster. `original`: "
        "as loud as clips, narration and music come.",
    )
    captions: CaptionsSpec = Field(default_factory=CaptionsSpec)  # type: ignore[arg-type]  # all have defaults
    music: MusicSpec | None = None

    def to_output(self) -> output.Output:
        """Return what the engine is told; raises InvalidInput for what cannot be made."""
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
    """What the finished video shall be like, and whether somebody speaks in it."""

    narration: NarrationSpec | None = None


def _pixels(size: str | None) -> output.Size | None:
    if size is None:
        return None
    width, height = size.split("x")
    return int(width), int(height)


def _rate(fps: float | None) -> Fraction | None:
    """Return the rate exactly: what is written as 29.97 is 30000/1001."""
    if fps is None:
        return None
    for whole in (24, 30, 60):
        if abs(fps - whole * 1000 / 1001) < 0.006:
            return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)
