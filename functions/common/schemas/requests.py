"""Request models for videos, over HTTP or in a file uploaded to the inbox."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from common.domain.styles import moods, styles
from common.domain.video import MAX_PROMPT_CHARACTERS, MAX_SCENES, RATIOS
from common.schemas.base import STORABLE, RequestSchema, Slug, Text, without_nulls
from common.schemas.output import OutputSpec

_STYLES: list[JsonValue] = [*sorted(style.name for style in styles().values())]
_MOODS: list[JsonValue] = [*sorted(mood.name for mood in moods().values())]


class ModelChoice(RequestSchema):
    """A provider, and optionally one of its models. `GET /v1/models` lists them."""

    provider: Annotated[str, StringConstraints(pattern="^[a-z0-9_-]{1,40}$")] = Field(
        description="Name of the provider."
    )
    model: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._:-]{1,80}$")] | None = Field(
        default=None, description="Name of the model. Default: the provider's default model."
    )


class ModelChoices(RequestSchema):
    """Models by kind of task. Default: the models of the deployment."""

    text: ModelChoice | None = Field(default=None, description="Model for the story.")
    image: ModelChoice | None = Field(default=None, description="Model for images.")
    video: ModelChoice | None = Field(default=None, description="Model for clips.")
    speech: ModelChoice | None = Field(default=None, description="Model for the narration.")


MaxCost = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6, strict=False)]
OnUnknown = Literal["fail", "resubmit_once"]


Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT_CHARACTERS),
    STORABLE,
]
Seed = Annotated[int, Field(ge=0, le=4_294_967_295)]


class CreateVideoRequest(RequestSchema):
    """Request to create a video."""

    prompt: Prompt = Field(
        description="Description of the video.",
        examples=["A paper boat crosses a city in the rain"],
    )
    scenes: int = Field(6, ge=1, le=MAX_SCENES, description="Number of scenes.")
    seconds: int = Field(
        5, ge=1, le=60, description="Duration of a scene in seconds, as supported by the model."
    )
    ratio: Literal[*RATIOS] = Field(  # type: ignore[valid-type]  # a Literal from a table
        "1280:720", description="Width and height of the video in pixels."
    )
    style: Text = Field(
        "Cinematic",
        description="Visual style of images and clips.",
        json_schema_extra={"enum": _STYLES},
    )
    mood: Text = Field(
        "Vibrant", description="Mood of images and clips.", json_schema_extra={"enum": _MOODS}
    )
    image: str | None = Field(
        None,
        description="Reference image, as base64 or a data URI: PNG, JPEG, WebP or AVIF of up to "
        "4.4 MB. Send at most one of `image`, `image_id` and `image_url`. The image is rotated "
        "according to its EXIF orientation, converted to 8-bit sRGB on a white background, and "
        "scaled down to at most 2048 pixels per side. If its ratio differs from that of the video, "
        "black bars are added. If the file contains several still images, the first is used.",
    )
    image_id: Annotated[str, StringConstraints(pattern=r"^med_[0-9A-Z]{26}$")] | None = Field(
        None, description="Reference image: id of an upload, or of another image of the library."
    )
    image_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = Field(
        None, description="Reference image: https URL of an image of up to 16 MiB."
    )
    models: ModelChoices = Field(
        default_factory=ModelChoices,
        description="Models to use instead of the deployment's defaults.",
    )
    output: OutputSpec = Field(
        default_factory=OutputSpec,  # type: ignore[arg-type]  # all fields have defaults
        description="Output settings of the finished video.",
    )
    max_cost: MaxCost | None = Field(
        None,
        description="Spend cap of the video in US dollars, as a decimal string. The request is "
        "refused if its estimate is higher, and the run fails before a call that would exceed it.",
    )
    on_unknown: OnUnknown = Field(
        "fail",
        description="How to handle a paid call whose outcome is unknown: `fail` the run, or "
        "`resubmit_once`, which repeats the call once. A repeated call may be charged twice and is "
        "flagged as `possible_duplicate`.",
    )
    seed: Seed | None = Field(
        None,
        description="Seed for models that support one. The same request and seed reproduce the "
        "video.",
    )
    user_id: Slug | None = Field(
        None,
        validation_alias=AliasChoices("user_id", "userId"),
        description="Owner of the video. Default: the owner of the API key. Others require the "
        "scope `act_as`.",
    )
    request_id: Slug | None = Field(
        None,
        validation_alias=AliasChoices("request_id", "requestId"),
        description="Name of the video, unique for its owner.",
    )
    metadata: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64), STORABLE],
            Annotated[str, StringConstraints(max_length=500), STORABLE],
        ],
        BeforeValidator(without_nulls),
    ] = Field(
        default_factory=dict,
        max_length=16,
        description="Up to 16 key-value pairs of your own, returned unchanged.",
    )

    @property
    def has_reference_image(self) -> bool:
        """Return whether the request has a reference image in any form."""
        return any((self.image, self.image_id, self.image_url))

    @model_validator(mode="after")
    def _single_image(self) -> "CreateVideoRequest":
        if sum(form is not None for form in (self.image, self.image_id, self.image_url)) > 1:
            raise ValueError("send only one of image, image_id and image_url")
        return self


class SceneChange(RequestSchema):
    """Changes of a scene. Omitted fields keep their values."""

    prompt: Prompt | None = Field(
        None, description="Prompt of the image. The image and its clip are generated again."
    )
    motion_prompt: Prompt | None = Field(
        None,
        description="Motion of the subject and the camera. The clip is generated again.",
    )
    narration: Prompt | None = Field(
        None,
        description="Text of the narration, in a narrated video. It can be changed until it is "
        "spoken.",
    )


SceneNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?$")]


class ResumeVideoRequest(RequestSchema):
    """Changes for the new run. Omitted fields keep their values."""

    on_unknown: Annotated[
        OnUnknown | None,
        Field(
            description="How to handle a paid call whose outcome is unknown, including the call "
            "that the last run failed for. `resubmit_once` repeats the call once; it may be "
            "charged twice and is flagged as `possible_duplicate`."
        ),
    ] = None
    max_cost: Annotated[
        MaxCost | None,
        Field(
            description="Spend cap of the whole video in US dollars, as a decimal string. It "
            "includes earlier costs."
        ),
    ] = None
    prompt: Annotated[
        Prompt | None,
        Field(
            description="Description of the video. It can be changed until the story is finished."
        ),
    ] = None
    scenes: Annotated[
        dict[SceneNumber, SceneChange],
        Field(
            max_length=MAX_SCENES,
            description="Changes by scene number, from 1. Where a text differs, the media of the "
            "scene are generated and charged again, even if they were finished. All other finished "
            "media are kept.",
            examples=[{"2": {"prompt": "A heron on a pier", "motion_prompt": "It takes off"}}],
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    models: Annotated[
        ModelChoices | None,
        Field(description="Models for the unfinished steps. Finished media are kept."),
    ] = None
    seed: Annotated[Seed | None, Field(description="Seed for the unfinished steps.")] = None
