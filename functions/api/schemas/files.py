"""Requests and answers of the first version's endpoints for files; its names are kept."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from common.domain.signed_links import DEFAULT_SECONDS, MAX_SECONDS
from common.domain.uploads import MOST_BYTES, standard
from common.schemas.base import STORABLE, RequestSchema, Schema, Slug, Text

S3Key = Annotated[str, StringConstraints(min_length=1, max_length=512), STORABLE]
MediaIdText = Annotated[str, StringConstraints(pattern=r"^med_[0-9A-Z]{26}$")]
VideoType = Annotated[
    Literal["video/mp4", "video/quicktime", "video/webm", "video/matroska"],
    BeforeValidator(lambda sent: standard(sent) if isinstance(sent, str) else sent),
]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE]


class MediaUrl(Schema):
    """A file, and a link to it that works for `expiresIn` seconds, under each of its two names.

    It is read without a key, by GET or HEAD (302 to the store), until it expires or all links are
    ended by `DELETE /v1/media/links`.
    """

    success: Literal[True] = True
    id: str
    s3Key: str
    userId: str
    requestId: str
    proxyUrl: str
    expiresIn: int


class ImageUrl(MediaUrl):
    """A picture."""

    imageUrl: str


class VideoUrl(MediaUrl):
    """A video."""

    videoUrl: str


class PresignedUrl(MediaUrl):
    """A fresh link to a media object of any kind."""

    url: str


class PendingVideoUpload(Schema):
    """A video that is to be sent in parts, or that was sent and is looked at."""

    success: Literal[True] = True
    id: str
    status: Literal["pending"] = "pending"
    userId: str
    requestId: str
    statusUrl: str = Field(description="Ask there what became of it.")
    partSize: int | None = Field(None, description="Bytes of every part but the last one.")
    uploadUrls: list[str] | None = Field(None, description="Put one part after the other.")
    completeUrl: str | None = Field(None, description="Post the ETags there after the last part.")


class ConvertedImage(Schema):
    """A picture as text. `image` is a data URI."""

    success: Literal[True] = True
    s3Key: str
    contentType: str
    base64: str
    image: str


class UploadInstructions(RequestSchema):
    """What the uploads of the first version share."""

    fileName: FileName | None = None
    userId: Slug | None = Field(None, description="For a key with the scope `act_as`.")
    requestId: Slug | None = None
    expiresIn: int = Field(DEFAULT_SECONDS, ge=1, le=MAX_SECONDS, description="Seconds.")


class UploadImage(UploadInstructions):
    """A picture, sent whole."""

    image: Text = Field(
        description="Base64, or a data URI (PNG, JPEG, WebP, AVIF), of at most 4.4 MB. It is "
        "stored as an upright PNG in 8-bit sRGB, with white where it is transparent, and with at "
        "most 2048 pixels a side. Of a file with several still pictures the first is stored."
    )


class UploadVideo(UploadInstructions):
    """A video: whole as `video` if it is small, else its `fileSize`, to be sent in parts."""

    video: Text | None = Field(None, description="Base64, or a data URI, of at most 4.4 MB.")
    fileSize: int | None = Field(None, ge=1, le=MOST_BYTES["video"], description="Bytes.")
    contentType: VideoType = "video/mp4"

    @model_validator(mode="after")
    def _one_way(self) -> "UploadVideo":
        if (self.video is None) == (self.fileSize is None):
            raise ValueError("give either video or fileSize")
        return self


class ConvertImage(RequestSchema):
    """Which picture: by its id, its key, or a link to it. Nothing, if the URL has a capability."""

    id: MediaIdText | None = None
    s3Key: S3Key | None = None
    imageUrl: Annotated[str, StringConstraints(max_length=2048), STORABLE] | None = Field(
        default=None, description="A link that the API gave out; it carries its own right to read."
    )
