"""What a client may ask for, over HTTP or in a file that is dropped into the inbox."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, model_validator

from common.domain.styles import moods, styles
from common.domain.video import MAX_PROMPT_CHARACTERS, MAX_SCENES, RATIOS
from common.schemas.base import STORABLE, RequestSchema, Slug, Text, without_nulls
from common.schemas.output import OutputSpec

_STYLES: list[JsonValue] = [*sorted(style.name for style in styles().values())]
_MOODS: list[JsonValue] = [*sorted(mood.name for mood in moods().values())]


class ModelChoice(RequestSchema):
    """A provider, and one of its models if not the default one. `GET /v1/models` lists them."""

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,80}$")] | None = None


class ModelChoices(RequestSchema):
    """Models by kind of work; what is left out is the stage's own."""

    text: ModelChoice | None = None
    image: ModelChoice | None = None
    video: ModelChoice | None = None
    speech: ModelChoice | None = None


MaxCost = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6, strict=False)]
OnUnknown = Literal["fail", "resubmit_once"]


Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT_CHARACTERS),
    STORABLE,
]
Seed = Annotated[int, Field(ge=0, le=4_294_967_295)]


class CreateVideoRequest(RequestSchema):
    """A wish for a video."""

    prompt: Prompt = Field(
        description="What the video shows.", examples=["A paper boat crosses a city in the rain"]
    )
    scenes: int = Field(6, ge=1, le=MAX_SCENES, description="Number of scenes.")
    seconds: int = Field(5, ge=1, le=60, description="Length of a scene, within the model's range.")
    ratio: Literal[*RATIOS] = Field("1280:720", description="Width and height in pixels.")  # type: ignore[valid-type]  # the literal is made of the table
    style: Text = Field("Cinematic", json_schema_extra={"enum": _STYLES})
    mood: Text = Field("Vibrant", json_schema_extra={"enum": _MOODS})
    image: str | None = Field(
        None,
        description="Reference picture, sent inline: base64 or a data URI (PNG, JPEG, WebP, AVIF) "
        "of at most 4.4 MB. At most one of `image`, `image_id` and `image_url` is given. "
        "Any picture is turned upright and converted to 8-bit sRGB, with white where it is "
        "transparent; a longer side than 2048 pixels is scaled down. In another ratio than that of "
        "the video it is shown whole, with black beside it. Of a file with several still pictures "
        "the first is used.",
    )
    image_id: Annotated[str, StringConstraints(pattern=r"^med_[0-9A-Z]{26}$")] | None = Field(
        None, description="Reference picture: an upload, or another picture of the library."
    )
    image_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = Field(
        None, description="Reference picture under an https URL, of at most 16 MiB."
    )
    models: ModelChoices = Field(
        default_factory=ModelChoices, description="Other models than the stage's own."
    )
    output: OutputSpec = Field(
        default_factory=OutputSpec,  # type: ignore[arg-type]  # all its fields have defaults
        description="What the finished video shall be like.",
    )
    max_cost: MaxCost | None = Field(
        None, description="Refuse, or stop, what costs more: US dollars as decimal text."
    )
    on_unknown: OnUnknown = Field(
        "fail",
        description="What to do when nobody knows whether a paid call was accepted: fail the run, "
        "or make the call once more, which may be charged twice and is flagged.",
    )
    seed: Seed | None = Field(None, description="Same seed, same video.")
    userId: Slug | None = Field(
        None, description="Whose video it is, for a key with the scope `act_as`; else its owner's."
    )
    requestId: Slug | None = Field(
        None, description="A name for the video, one of its kind for its owner."
    )
    metadata: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64), STORABLE],
            Annotated[str, StringConstraints(max_length=500), STORABLE],
        ],
        BeforeValidator(without_nulls),
    ] = Field(default_factory=dict, max_length=16, description="Passed through.")

    @property
    def has_picture(self) -> bool:
        """Whether there is a reference picture, in whichever form."""
        return any((self.image, self.image_id, self.image_url))

    @model_validator(mode="after")
    def _one_picture(self) -> "CreateVideoRequest":
        if sum(form is not None for form in (self.image, self.image_id, self.image_url)) > 1:
            raise ValueError("give one of image, image_id and image_url")
        return self


class SceneChange(RequestSchema):
    """What to change of one scene; what is left out, or null, stays as it was."""

    prompt: Prompt | None = Field(
        None, description="Of the picture. It is made anew, and the clip after it."
    )
    motion_prompt: Prompt | None = Field(
        None, description="What moves in the clip, and how the camera does. It is made anew."
    )
    narration: Prompt | None = Field(
        None, description="What is said, in a narrated video, while it is not spoken yet."
    )


SceneNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?$")]


class ResumeVideoRequest(RequestSchema):
    """What changes from now on; what is left out, or null, stays as it was."""

    on_unknown: Annotated[
        OnUnknown | None,
        Field(
            description="What to do with a paid call of which nobody knows whether it was taken, "
            "also with the one that the run failed for: `resubmit_once` makes it once more, which "
            "may be charged twice and is flagged."
        ),
    ] = None
    max_cost: Annotated[
        MaxCost | None,
        Field(
            description="The most that the whole video may cost: US dollars as decimal text. What "
            "it has cost already counts."
        ),
    ] = None
    prompt: Annotated[
        Prompt | None, Field(description="Of the whole video, while its story is not written yet.")
    ] = None
    scenes: Annotated[
        dict[SceneNumber, SceneChange],
        Field(
            max_length=MAX_SCENES,
            description="Changes by scene number, from 1. A scene that is named is made anew where "
            "its text is another one, also where it was finished, and is paid for again. Scenes "
            "that are not named keep what is finished.",
            examples=[{"2": {"prompt": "A heron on a pier", "motion_prompt": "It takes off"}}],
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    models: Annotated[
        ModelChoices | None,
        Field(description="Other models for what is not finished. What is finished is kept."),
    ] = None
    seed: Annotated[Seed | None, Field(description="For what is made from now on.")] = None
