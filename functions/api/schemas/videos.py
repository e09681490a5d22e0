"""Requests and answers about videos."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from api.schemas.base import STORABLE, Money, Request, Text
from common.styles import moods, styles
from common.video import MAX_PROMPT_CHARACTERS, MAX_SCENES, RATIOS

_STYLES: list[JsonValue] = [*sorted(style.name for style in styles().values())]
_MOODS: list[JsonValue] = [*sorted(mood.name for mood in moods().values())]


class ModelChoice(Request):
    """A provider, and one of its models if not the default one. `GET /v1/models` lists them."""

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,80}$")] | None = None


class ModelChoices(Request):
    """Models by kind of work; what is left out is the stage's own."""

    text: ModelChoice | None = None
    image: ModelChoice | None = None
    video: ModelChoice | None = None


class CreateVideo(Request):
    """A wish for a video."""

    prompt: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT_CHARACTERS),
        STORABLE,
    ] = Field(
        description="What the video shows.", examples=["A paper boat crosses a city in the rain"]
    )
    scenes: int = Field(6, ge=1, le=MAX_SCENES, description="Number of scenes.")
    seconds: int = Field(5, ge=1, le=60, description="Length of a scene, within the model's range.")
    ratio: Literal[*RATIOS] = Field("1280:720", description="Width and height in pixels.")  # type: ignore[valid-type]  # the literal is made of the table
    style: Text = Field("Cinematic", json_schema_extra={"enum": _STYLES})
    mood: Text = Field("Vibrant", json_schema_extra={"enum": _MOODS})
    image: str | None = Field(
        None, description="Reference picture: base64, or a data URI (PNG, JPEG, WebP)."
    )
    models: ModelChoices = Field(
        default_factory=ModelChoices, description="Other models than the stage's own."
    )
    max_cost: Decimal | None = Field(
        None, ge=0, max_digits=12, decimal_places=6, strict=False,
        description="Refuse, or stop, what costs more: US dollars as decimal text.",
    )  # fmt: skip
    on_unknown: Literal["fail", "resubmit_once"] = Field(
        "fail",
        description="What to do when nobody knows whether a paid call was accepted: fail the run, "
        "or make the call once more, which may be charged twice and is flagged.",
    )
    seed: int | None = Field(None, ge=0, le=4_294_967_295, description="Same seed, same video.")
    metadata: dict[
        Annotated[str, StringConstraints(max_length=64), STORABLE],
        Annotated[str, StringConstraints(max_length=500), STORABLE],
    ] = Field(default_factory=dict, max_length=16, description="Passed through.")


class Equivalent(Money):
    """What the same video costs with the default models of the paid providers."""

    models: list[str]


class Units(BaseModel):
    """An amount in a provider's own units."""

    amount: str
    unit: str


class SceneCost(Money):
    """What a picture or clip cost, or will cost. `amount` is null until it is known."""

    amount: str | None  # type: ignore[assignment]  # known later
    estimated: str
    units: Units | None
    possible_duplicate: bool = Field(description="A second call may have been charged too.")


class Costs(BaseModel):
    """What was estimated, and what was spent so far."""

    estimated: str
    actual: str
    max: str | None
    currency: Literal["USD"] = "USD"
    equivalent: Equivalent


class Origin(BaseModel):
    """Which model made it, and what that is in plain words."""

    provider: str
    model: str
    label: str


class RunError(BaseModel):
    """Why a step failed. `retryable`: the same again can succeed. `billed`: null if unknown."""

    code: str
    stage: str
    scene: int | None
    detail: str
    retryable: bool
    billed: bool | None


class Asset(BaseModel):
    """A picture or clip of a scene."""

    status: str
    version: int
    cost: SceneCost
    error: RunError | None


class SceneObject(BaseModel):
    """One scene: its text, its picture and its clip."""

    index: int = Field(description="Counts from 1.")
    status: str
    timestamp: str
    description: str
    prompt: str
    motion_prompt: str
    image: Asset
    clip: Asset


class Output(BaseModel):
    """The finished video. The links are read without a key, until they expire."""

    duration_seconds: float
    frames: int
    size_bytes: int
    sha256: str
    url: str | None
    poster_url: str | None
    expires_at: datetime | None


class Links(BaseModel):
    """Where to go from here, relative to the API's address."""

    self: str
    download: str
    resume: str


class VideoObject(BaseModel):
    """A video."""

    id: str
    object: Literal["video"] = "video"
    status: Literal["queued", "running", "succeeded", "failed"]
    stage: str
    progress: int = Field(description="Percent.")
    prompt: str
    style: str
    mood: str
    ratio: str
    seconds_per_scene: int
    scene_count: int
    seed: int
    title: str | None
    overview: str | None
    models: dict[str, Origin]
    scenes: list[SceneObject] | None = Field(description="Left out in lists, and before the story.")
    output: Output | None
    error: RunError | None
    cost: Costs
    metadata: dict[str, str]
    run_id: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    links: Links


class VideoPage(BaseModel):
    """Videos, newest first. `next_cursor` leads to older ones; null on the last page."""

    data: list[VideoObject]
    next_cursor: str | None


class Download(BaseModel):
    """A fresh link to the finished video."""

    url: str
    expires_at: datetime
    filename: str
    size_bytes: int
    sha256: str
