"""Requests and responses of the legacy endpoints that run a single step."""

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
"""Default style and mood of a video that a single step creates."""
NEW_SCENES = 6
_MAX_IMAGES = 10
_MAX_CLIP_SECONDS = 60

Ratio = Literal[*RATIOS]  # type: ignore[valid-type]  # a Literal from a table
ImageText = Annotated[
    str,
    Field(
        min_length=1,
        description="An image: base64 or a data URI (PNG, JPEG, WebP, AVIF), the id or `s3Key` of "
        "one of your media objects, a signed link (`proxyUrl`, `imageUrl`), or an https URL.",
    ),
]


class StepRequest(RequestSchema):
    """Fields shared by all steps. Requests with the same `requestId` build the same video."""

    userId: Slug | None = Field(
        None,
        description="Owner of the video. Default: the owner of the API key. Others require the "
        "scope `act_as`.",
    )
    requestId: Slug | None = Field(
        None, description="Name or id of the video that the step belongs to. Default: a new video."
    )
    expiresIn: int = Field(3600, ge=60, le=86_400, description="Lifetime of the links in seconds.")


class StyleFields(StepRequest):
    """Fields that determine the look of images."""

    style: Text | None = Field(
        None,
        json_schema_extra={"enum": _STYLES},
        description=f"Visual style. Default: that of the video, or {NEW_STYLE} for a new one.",
    )
    mood: Text | None = Field(
        None,
        json_schema_extra={"enum": _MOODS},
        description=f"Mood. Default: that of the video, or {NEW_MOOD} for a new one.",
    )
    frameAspectRatio: Ratio | None = Field(
        None,
        description="Width and height in pixels. Default: that of the video, or 1280:720 for a new "
        "one.",
    )


class StoryRequest(StyleFields):
    """Request to generate a story."""

    prompt: Prompt = Field(description="Description of the video.")
    frameCount: int | None = Field(
        None,
        ge=1,
        le=MAX_SCENES,
        description=f"Number of scenes. Default: that of the video, or {NEW_SCENES} for a new one.",
    )
    duration: int = Field(
        30,
        ge=1,
        le=MAX_SCENES * _MAX_CLIP_SECONDS,
        description="Duration of the video in seconds. Each scene gets the nearest duration that "
        "clips support.",
    )


class ImageRequest(StyleFields):
    """Request to generate the image of a scene. A repeated request generates a new version."""

    prompt: Prompt = Field(description="Description of the image.")
    frameIndex: int = Field(0, ge=0, lt=MAX_SCENES, description="Index of the scene, from 0.")
    totalFrames: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="Number of scenes of the video."
    )
    isFirstFrame: bool | None = Field(
        None,
        description="Whether this is the image of the first scene, which other images follow. Must "
        "agree with `frameIndex`.",
    )
    image: ImageText | None = Field(None, description="Reference image.")

    @model_validator(mode="after")
    def _check_indexes(self) -> "ImageRequest":
        if self.totalFrames is not None and self.frameIndex >= self.totalFrames:
            raise ValueError("frameIndex counts from 0 and must be less than totalFrames")
        if self.isFirstFrame not in (None, self.frameIndex == 0):
            raise ValueError("isFirstFrame must be true for frameIndex 0, and false for all others")
        return self


class ClipRequest(StepRequest):
    """Request to generate the clip of a scene. A repeated request generates a new version."""

    prompt: Prompt = Field(description="Motion of the subject and the camera.")
    startImage: ImageText | None = Field(
        None, description="Image that the clip animates. Default: the image of the scene."
    )
    clipIndex: int = Field(0, ge=0, lt=MAX_SCENES, description="Index of the scene, from 0.")
    totalClips: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="Number of scenes of the video."
    )
    frameAspectRatio: Ratio | None = Field(
        None,
        description="Width and height of the clip in pixels; the image is fitted into it with "
        "bars. Default: that of the video, or 1280:720 for a new one.",
    )
    duration: int | None = Field(
        None,
        ge=1,
        le=_MAX_CLIP_SECONDS,
        description="Duration in seconds. Default: that of the video's scenes, or 5 for a new one.",
    )

    @model_validator(mode="after")
    def _check_indexes(self) -> "ClipRequest":
        if self.totalClips is not None and self.clipIndex >= self.totalClips:
            raise ValueError("clipIndex counts from 0 and must be less than totalClips")
        return self


class MergeRequest(StepRequest):
    """Request to merge the clips of a video."""

    requestId: Slug = Field(description="Name or id of the video.")
    totalClips: int | None = Field(
        None, ge=1, le=MAX_SCENES, description="Number of clips, from the first. Default: all."
    )
    output: MergeSpec | None = Field(
        None,
        description="Output settings, which replace those of the video. Default: unchanged. The "
        "narration of a narrated video is kept.",
    )


class ImagesRequest(StyleFields):
    """Request to generate several images from one prompt."""

    prompt: Prompt = Field(description="Description of the images.")
    numImages: int = Field(5, ge=1, le=_MAX_IMAGES, description="Number of images.")
    image: ImageText | None = Field(None, description="Reference image.")


class VideoRequest(StyleFields):
    """Request to generate a video from images: one clip per image, merged."""

    prompt: Prompt = Field(description="Motion of the subject and the camera.")
    images: list[ImageText] = Field(
        min_length=1, max_length=_MAX_IMAGES, description="Images, in the order of the scenes."
    )
    duration: int | None = Field(
        None,
        ge=1,
        le=_MAX_CLIP_SECONDS,
        description="Duration of each clip in seconds. Default: that of the video's scenes, or 5 "
        "for a new one.",
    )


class StepRun(Schema):
    """Fields shared by all responses."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    userId: str = Field(description="Owner of the video.")
    requestId: str = Field(description="Name or id of the video.")
    expiresIn: int = Field(description="Lifetime of the links in seconds.")


class PendingRun(StepRun):
    """A run in progress. Poll `statusUrl` for its result."""

    status: Literal["queued", "running"] = Field(description="Status of the run.")
    runId: str = Field(description="Id of the run.")
    statusUrl: str = Field(description="URL to poll for the result.")


class StoryScene(Schema):
    """A scene of a story. `frame_number` counts from 1."""

    frame_number: int = Field(description="Number of the scene, from 1.")
    timestamp: str = Field(description="Start of the scene, as `m:ss`.")
    description: str = Field(description="Description of the scene.")
    prompt: str = Field(description="Prompt of the image.")


class Story(Schema):
    """A story: title, overview and scenes."""

    title: str = Field(description="Title of the story.")
    overview: str = Field(description="Summary of the story.")
    scenes: list[StoryScene] = Field(description="Scenes of the story.")


class GeneratedStory(StepRun):
    """Result of generating a story."""

    story: Story


class ImageLinks(Schema):
    """An image. `imageUrl` and `proxyUrl` are the same signed link, which needs no API key."""

    imageUrl: str = Field(description="Signed link to the image.")
    proxyUrl: str = Field(description="Signed link to the image.")
    s3Key: str = Field(description="S3 key of the image.")
    frameIndex: int = Field(description="Index of the scene, from 0.")


class GeneratedImage(StepRun, ImageLinks):
    """Result of generating the image of a scene."""

    totalFrames: int = Field(description="Number of scenes of the video.")


class GeneratedClip(StepRun):
    """Result of generating a clip.

    `videoUrl` and `proxyUrl` are the same signed link, which needs no API key.
    """

    clipIndex: int = Field(description="Index of the scene, from 0.")
    totalClips: int = Field(description="Number of scenes of the video.")
    duration: int = Field(description="Duration in seconds.")
    s3Key: str = Field(description="S3 key of the clip.")
    proxyUrl: str = Field(description="Signed link to the clip.")
    videoUrl: str = Field(description="Signed link to the clip.")


class MergeResult(StepRun):
    """Result of merging clips. `duration` is in seconds; `output` has all files and scenes.

    `videoUrl` and `proxyUrl` are the same signed link, which needs no API key.
    """

    totalClips: int = Field(description="Number of merged clips.")
    duration: float = Field(description="Duration in seconds.")
    s3Key: str = Field(description="S3 key of the video.")
    proxyUrl: str = Field(description="Signed link to the video.")
    videoUrl: str = Field(description="Signed link to the video.")
    output: Output
    warnings: list[str] = Field(description="Deviations from the request.")


class GeneratedImages(StepRun):
    """Result of generating several images."""

    imageUrls: list[str] = Field(description="Signed links to the images.")
    images: list[ImageLinks] = Field(description="The images.")
    generatedCount: int = Field(description="Number of generated images.")
    requestedCount: int = Field(description="Number of requested images.")
    errors: list[Any] = Field(
        description="Always empty: if one image fails, the whole request fails."
    )


class GeneratedVideo(MergeResult):
    """Result of generating a video from images."""

    frameCount: int = Field(description="Number of scenes.")
    prompt: str = Field(description="Prompt of the request.")
    generatedAt: datetime = Field(description="Time at which the run ended.")


StepResult = (
    GeneratedStory | GeneratedImage | GeneratedClip | MergeResult | GeneratedImages | GeneratedVideo
)
