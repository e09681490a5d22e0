"""Requests and responses about uploads."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from common.domain.uploads import MOST_BYTES, PART_BYTES, SUFFIXES, standard
from common.schemas.base import STORABLE, RequestSchema, Schema, Text

_TYPES: list[JsonValue] = [*SUFFIXES]


class CreateUpload(RequestSchema):
    """Request to create an upload."""

    media_type: Annotated[Text, AfterValidator(standard)] = Field(
        description="Media type of the file. Common aliases are accepted; parameters and case are "
        "ignored.",
        json_schema_extra={"examples": _TYPES},
    )
    size_bytes: int = Field(
        ge=1,
        le=max(MOST_BYTES.values()),
        description="Exact size of the file in bytes. Maximum: 25 MiB for an image, 100 MiB for "
        "audio, 1 GiB for a video.",
    )
    name: (
        Annotated[
            str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), STORABLE
        ]
        | None
    ) = Field(None, description="Display name, which can be searched. It is not part of any URL.")
    in_parts: bool = Field(False, description="Send the file in parts. Always true from 64 MiB.")


class UploadForm(Schema):
    """A form: POST these fields as multipart/form-data to `url`, followed by the file as `file`."""

    url: str = Field(description="URL to POST the form to.")
    fields: dict[str, str] = Field(description="Fields of the form.")


class UploadParts(Schema):
    """Part URLs: send each part with PUT, and keep the `ETag` header of each response."""

    size_bytes: int = Field(
        PART_BYTES,
        description="Size of every part in bytes; the last one has the rest. A part of another "
        "size is rejected.",
    )
    urls: list[str] = Field(description="Presigned URLs of the parts, in order.")


class UploadLinks(Schema):
    """Paths of related resources, relative to the base URL of the API."""

    self: str = Field(description="The media object of the upload.")
    complete: str | None = Field(description="POST the ETags here after the last part.")
    abort: str = Field(description="POST here to abort the upload.")


class UploadObject(Schema):
    """An upload. Send the file with `form` or in `parts`, then poll `links.self`."""

    id: str = Field(description="Id of the upload and of its media object.")
    object: Literal["upload"] = Field(default="upload", description="Always `upload`.")
    status: Literal["pending"] = Field(default="pending", description="Always `pending`.")
    media_type: str = Field(description="Media type of the file.")
    size_bytes: int = Field(description="Size in bytes.")
    form: UploadForm | None = Field(description="Form for an upload in a single request.")
    parts: UploadParts | None = Field(description="Part URLs of a multipart upload.")
    expires_at: datetime = Field(
        description="Latest time at which the form or URLs expire. They expire earlier if the "
        "credentials that signed them do; if so, create a new upload."
    )
    links: UploadLinks


class CompleteUpload(RequestSchema):
    """Request to complete a multipart upload."""

    etags: list[Annotated[str, StringConstraints(pattern=r'^"?[0-9a-zA-Z-]{1,128}"?$')]] = Field(
        min_length=1, max_length=1000, description="ETags of all parts, in order."
    )
