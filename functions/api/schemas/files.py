"""Requests and responses of the legacy endpoints for files, with their field names."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from common.domain.signed_links import DEFAULT_SECONDS, MAX_SECONDS
from common.domain.uploads import MOST_BYTES, standard
from common.schemas.base import STORABLE, RequestSchema, Schema, Slug, Text

S3Key = Annotated[str, StringConstraints(min_length=1, max_length=512), STORABLE]
MediaIdText = Annotated[str, StringConstraints(pattern=r"^med_[0-9A-Z]{26}$")]
VideoType = Annotated[
    Literal["video/mp4", "video/quicktime", "video/webm", "video/matroska"],
    BeforeValidator(lambda value: standard(value) if isinstance(value, str) else value),
]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE]


class MediaUrl(Schema):
    """A file with a signed link that expires after `expiresIn` seconds.

    Read it with GET or HEAD, without an API key; the response redirects (302) to storage.
    `DELETE /v1/media/links` revokes it.
    """

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    id: str = Field(description="Id of the media object.")
    s3Key: str = Field(description="S3 key of the file.")
    userId: str = Field(description="Owner of the media object.")
    requestId: str = Field(description="Name or id of the video, or id of the upload.")
    proxyUrl: str = Field(description="Signed link to the file.")
    expiresIn: int = Field(description="Lifetime of the link in seconds.")


class ImageUrl(MediaUrl):
    """An image with a signed link. `imageUrl` and `proxyUrl` are the same link."""

    imageUrl: str = Field(description="Signed link to the image.")


class VideoUrl(MediaUrl):
    """A video with a signed link. `videoUrl` and `proxyUrl` are the same link."""

    videoUrl: str = Field(description="Signed link to the video.")


class PresignedUrl(MediaUrl):
    """A media object with a fresh signed link. `url` and `proxyUrl` are the same link."""

    url: str = Field(description="Signed link to the file.")


class PendingVideoUpload(Schema):
    """A video that is to be sent in parts, or that is being inspected."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    id: str = Field(description="Id of the upload.")
    status: Literal["pending"] = Field(default="pending", description="Always `pending`.")
    userId: str = Field(description="Owner of the upload.")
    requestId: str = Field(description="Name or id of the upload.")
    statusUrl: str = Field(description="URL to poll for the status of the upload.")
    partSize: int | None = Field(
        None, description="Size of every part except the last one, in bytes."
    )
    uploadUrls: list[str] | None = Field(
        None, description="Presigned URLs; send each part with PUT."
    )
    completeUrl: str | None = Field(
        None, description="URL to POST the ETags to after the last part."
    )


class ConvertedImage(Schema):
    """An image in base64. `image` is the same as a data URI."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    s3Key: str = Field(description="S3 key of the image.")
    contentType: str = Field(description="Media type of the image.")
    base64: str = Field(description="Image in base64.")
    image: str = Field(description="Image as a data URI.")


class UploadInstructions(RequestSchema):
    """Fields shared by the legacy uploads."""

    fileName: FileName | None = Field(default=None, description="Display name of the file.")
    userId: Slug | None = Field(
        None, description="Owner of the upload. Requires the scope `act_as`."
    )
    requestId: Slug | None = Field(default=None, description="Name of the upload.")
    expiresIn: int = Field(
        DEFAULT_SECONDS, ge=1, le=MAX_SECONDS, description="Lifetime of the links in seconds."
    )


class UploadImage(UploadInstructions):
    """Upload of an image in a single request."""

    image: Text = Field(
        description="PNG, JPEG, WebP or AVIF of up to 4.4 MB, as base64 or a data URI. It is "
        "rotated according to its EXIF orientation, converted to 8-bit sRGB on a white background, "
        "scaled down to at most 2048 pixels per side, and stored as PNG. If the file contains "
        "several still images, the first is used."
    )


class UploadVideo(UploadInstructions):
    """Upload of a video: either `video` in a single request, or `fileSize` to send it in parts."""

    video: Text | None = Field(None, description="Video of up to 4.4 MB, as base64 or a data URI.")
    fileSize: int | None = Field(
        None, ge=1, le=MOST_BYTES["video"], description="Size of the video in bytes."
    )
    contentType: VideoType = Field(default="video/mp4", description="Media type of the video.")

    @model_validator(mode="after")
    def _video_or_size(self) -> "UploadVideo":
        if (self.video is None) == (self.fileSize is None):
            raise ValueError("send either video or fileSize")
        return self


class ConvertImage(RequestSchema):
    """The image to convert: its id, its S3 key or a signed link.

    Omit the body if the URL has a token (`t`).
    """

    id: MediaIdText | None = Field(default=None, description="Id of the media object.")
    s3Key: S3Key | None = Field(default=None, description="S3 key of the image.")
    imageUrl: Annotated[str, StringConstraints(max_length=2048), STORABLE] | None = Field(
        default=None, description="A signed link of this API; it authorizes the request."
    )
