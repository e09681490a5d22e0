"""Requests and answers of the endpoints that make one part of a video."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from api.schemas.output import Output
from common.domain.styles import moods, styles
from common.domain.video import MAX_SCENES, RATIOS
from common.schemas.base import RequestSchema, Schema, Slug, Text
from common.schemas.output import MergeSpec
from common.schemas.requests import Prompt

_STYLES: list[JsonValue] = [*sorted(style.name for style in styles().values())]
_MOODS: list[JsonValue] = [*sorted(mood.name for mood in moods().values())]
NEW_STYLE, NEW_MOOD = "Realistic", "Vibrant"
"""How a video looks that begins with one of its parts, unless the request says so."""
NEW_SCENES = 6
_MOST_PICTURES = 10
_MOST_CLIP_SECONDS = 60

Ratio = Literal[*RATIOS]  # type: ignore[valid-type]  # the literal is made of the table
PictureText = Annotated[
    str,
    Field(
        min_length=1,
        description="A picture: base64 or a data URI (PNG, JPEG, WebP, AVIF), the id or `s3Key` of "
        "one of your media, a link to it (`proxyUrl`, `imageUrl`), or an https URL.",
    ),
]


class StepRequest(RequestSchema):
    """What all of these requests can say. Requests with the same `requestId` build one video."""

    userId: Slug | None = Field(
        None, description="Whose it is, for a key with the scope `act_as`; else its owner's."
    )
    requestId: Slug | None = Field(
        None, description="The video that it is a part of, by name or id; without it, a new one."
    )
    expiresIn: int = Field(3600, ge=60, le=86_400, description="Seconds that the links shall live.")


class StyleFields(StepRequest):
    """How pictures look."""

    style: Text | None = Field(
        None,
        json_schema_extra={"enum": _STYLES},
        description=f"As the video has it; {NEW_STYLE} of a new one.",
    )
    mood: Text | None = Field(
        None,
        json_schema_extra={"enum": _MOODS},
        description=f"As the video has it; {NEW_MOOD} of a new one.",
    )
    frameAspectRatio: Ratio | None = Field(
        None, description="Width and height in pixels; 1280:720, or what the video has."
    )


class StoryRequest(StyleFields):
    """A wish for a story."""

    prompt: Prompt
    frameCount: int | None = Field(
        None,
        ge=1,
        le=MAX_SCENES,
        description=f"Number of scenes; as the video has, or {NEW_SCENES}.",
    )
    duration: int = Field(
        30,
        ge=1,
        le=MAX_SCENES * _MOST_CLIP_SECONDS,
        description="Seconds of the whole. A scene gets the nearest length that clips can have.",
    )


class ImageRequest(StyleFields):
    """A wish for the picture of one scene; asked for again, it is painted anew."""

    prompt: Prompt
    frameIndex: int = Field(0, ge=0, lt=MAX_SCENES, description="Counts from 0.")
    totalFrames: int | None = Field(None, ge=1, le=MAX_SCENES)
    isFirstFrame: bool | None = Field(
        None, description="Other pictures follow the first one, which has the index 0."
    )
    image: PictureText | None = Field(None, description="Reference picture.")

    @model_validator(mode="after")
    def _agrees(self) -> "ImageRequest":
        if self.totalFrames is not None and self.frameIndex >= self.totalFrames:
            raise ValueError("frameIndex counts from 0 and is less than totalFrames")
        if self.isFirstFrame not in (None, self.frameIndex == 0):
            raise ValueError("the first frame is the one with frameIndex 0")
        return self


class ClipRequest(StepRequest):
    """A wish for the clip of one scene; asked for again, it is made anew."""

    prompt: Prompt = Field(description="What moves, and how the camera does.")
    startImage: PictureText | None = Field(
        None, description="The picture to begin from; without one, the scene's own."
    )
    clipIndex: int = Field(0, ge=0, lt=MAX_SCENES, description="Counts from 0.")
    totalClips: int | None = Field(None, ge=1, le=MAX_SCENES)
    frameAspectRatio: Ratio | None = Field(
        None, description="Of the clip; the picture is fitted whole. 1280:720, or as the video."
    )
    duration: int | None = Field(
        None, ge=1, le=_MOST_CLIP_SECONDS, description="Seconds; as the video's scenes, or 5."
    )

    @model_validator(mode="after")
    def _agrees(self) -> "ClipRequest":
        if self.totalClips is not None and self.clipIndex >= self.totalClips:
            raise ValueError("clipIndex counts from 0 and is less than totalClips")
        return self


class MergeRequest(StepRequest):
    """A wish for the clips of a video to be joined."""

    requestId: Slug = Field(description="The video, by name or id.")
    totalClips: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="How many, from the first; all without it."
    )
    output: MergeSpec | None = Field(
        None,
        description="What the video shall be like, in place of what was wished before; as before "
        "without it. What is said in a narrated video stays.",
    )


class ImagesRequest(StyleFields):
    """A wish for several pictures of one prompt."""

    prompt: Prompt
    numImages: int = Field(5, ge=1, le=_MOST_PICTURES)
    image: PictureText | None = Field(None, description="Reference picture.")


class VideoRequest(StyleFields):
    """A wish for a video of pictures: a clip of each, joined."""

    prompt: Prompt = Field(description="What moves, and how the camera does.")
    images: list[PictureText] = Field(min_length=1, max_length=_MOST_PICTURES)
    duration: int | None = Field(
        None, ge=1, le=_MOST_CLIP_SECONDS, description="Seconds of each clip; 5, or as the video."
    )


class StepRun(Schema):
    """What all answers say."""

    success: Literal[True] = True
    userId: str
    requestId: str
    expiresIn: int


class PendingRun(StepRun):
    """The part is being made. `statusUrl` has the answer when it is."""

    status: Literal["queued", "running"]
    runId: str
    statusUrl: str


class StoryScene(Schema):
    """A scene of a story. `frame_number` counts from 1."""

    frame_number: int
    timestamp: str
    description: str
    prompt: str


class Story(Schema):
    """A story."""

    title: str
    overview: str
    scenes: list[StoryScene]


class GeneratedStory(StepRun):
    """The story."""

    story: Story


class ImageLinks(Schema):
    """A picture. `imageUrl` and `proxyUrl` are the same link, which is read without a key."""

    imageUrl: str
    proxyUrl: str
    s3Key: str
    frameIndex: int


class GeneratedImage(StepRun, ImageLinks):
    """The picture of a scene."""

    totalFrames: int


class GeneratedClip(StepRun):
    """The clip of a scene. `videoUrl` and `proxyUrl` are the same link, read without a key."""

    clipIndex: int
    totalClips: int
    duration: int
    s3Key: str
    proxyUrl: str
    videoUrl: str


class MergeResult(StepRun):
    """The joined video. `duration` in seconds; `output` has all files, and says what was done.

    `videoUrl` and `proxyUrl` are the same link, which is read without a key.
    """

    totalClips: int
    duration: float
    s3Key: str
    proxyUrl: str
    videoUrl: str
    output: Output
    warnings: list[str] = Field(description="What differs from the request.")


class GeneratedImages(StepRun):
    """The pictures."""

    imageUrls: list[str]
    images: list[ImageLinks]
    generatedCount: int
    requestedCount: int
    errors: list[Any] = Field(description="Always empty: either all are made, or none counts.")


class GeneratedVideo(MergeResult):
    """The video of the pictures."""

    frameCount: int
    prompt: str
    generatedAt: datetime


Made = (
    GeneratedStory | GeneratedImage | GeneratedClip | MergeResult | GeneratedImages | GeneratedVideo
)
