"""Requests and answers about uploads."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from common.domain.uploads import MOST_BYTES, PART_BYTES, SUFFIXES, standard
from common.schemas.base import STORABLE, RequestSchema, Schema, Text

_TYPES: list[JsonValue] = [*SUFFIXES]


class CreateUpload(RequestSchema):
    """What is going to be sent."""

    media_type: Annotated[Text, AfterValidator(standard)] = Field(
        description="Any common name of the type; parameters and upper case do not matter.",
        json_schema_extra={"examples": _TYPES},
    )
    size_bytes: int = Field(
        ge=1,
        le=max(MOST_BYTES.values()),
        description="Exactly so many bytes will be taken. At most 25 MiB for a picture, 100 MiB "
        "for sound, 1 GiB for a video.",
    )
    name: (
        Annotated[
            str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), STORABLE
        ]
        | None
    ) = Field(None, description="For people: shown and searched, never part of an address.")
    in_parts: bool = Field(
        False, description="Send it in parts even if it is small; files from 64 MiB always are."
    )


class UploadForm(Schema):
    """Post these fields as multipart/form-data, and after them the file as `file`."""

    url: str
    fields: dict[str, str]


class UploadParts(Schema):
    """Put one part after the other to its URL; keep the ETag that each answer carries."""

    size_bytes: int = Field(
        PART_BYTES,
        description="Of every part but the last one, which has the rest. The store refuses a part "
        "of another size.",
    )
    urls: list[str]


class UploadLinks(Schema):
    """Where to go from here, relative to the API's address."""

    self: str
    complete: str | None = Field(description="After the last part.")
    abort: str


class UploadObject(Schema):
    """How to send the file: by `form`, or in `parts`. What became of it is at `links.self`."""

    id: str
    object: Literal["upload"] = "upload"
    status: Literal["pending"] = "pending"
    media_type: str
    size_bytes: int
    form: UploadForm | None
    parts: UploadParts | None
    expires_at: datetime = Field(
        description="When form or URLs end, at the latest: they also end with the credentials that "
        "signed them. If the store says that they expired, announce the file again."
    )
    links: UploadLinks


class CompleteUpload(RequestSchema):
    """That all parts were sent."""

    etags: list[Annotated[str, StringConstraints(pattern=r'^"?[0-9a-zA-Z-]{1,128}"?$')]] = Field(
        min_length=1, max_length=1000, description="The ETag of each part, in order."
    )
