"""Routes of the first version for files: its paths and its fields."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from api.dependencies import files
from api.http import forms
from api.http.middleware import JSON, body_limit, legacy_status_codes
from api.openapi.responses import answers
from api.routes import (
    ADMITTED,
    OPEN_TO_LINKS,
    WITH_FILE,
    RequestId,
    address,
    anybody,
    caller,
    group,
    named,
)
from api.routes.links import Capability
from api.schemas.files import (
    ConvertedImage,
    ConvertImage,
    ImageUrl,
    MediaIdText,
    PendingVideoUpload,
    PresignedUrl,
    S3Key,
    UploadImage,
    UploadVideo,
    VideoUrl,
)
from common.domain.signed_links import DEFAULT_SECONDS, MAX_SECONDS

# With a key for one's own media, or without one by the capability of a link.
_EITHER: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"apiKey": []}]

# Of a request that names one picture; anybody may send it, and nobody counts it.
_CONVERT_BODY = 4 * 1024

router = group()


@router.get(
    "/api/get_presigned_url",
    operation_id="getPresignedUrl",
    tags=["Files"],
    summary="Get fresh links to a media object",
    description="With an API key for the caller's own, by id or key; without one by the "
    "capability of a link, for as long as that is good.",
    responses=answers(200, PresignedUrl, 400, 404, 429, 503, authenticated=True),
    security=_EITHER,
    middlewares=[legacy_status_codes, *OPEN_TO_LINKS],
)
def get_presigned_url(
    t: Capability = None,
    id: Annotated[MediaIdText | None, Query(description="Which one, by its id.")] = None,  # noqa: A002 - the parameter's name
    key: Annotated[S3Key | None, Query(description="Which one, by its key.")] = None,
    seconds: Annotated[
        int, Query(alias="expiresIn", ge=1, le=MAX_SECONDS, description="Seconds.")
    ] = DEFAULT_SECONDS,
) -> PresignedUrl:
    """A link through the API, which leads to a presigned URL of the store."""
    return files().link(
        anybody(router), t, media_id=id, key=key, seconds=seconds, address=address(router)
    )


@router.post(
    "/api/convert_s3_image_to_base64",
    operation_id="convertImageToBase64",
    tags=["Files"],
    summary="Read a picture as text",
    description="With an API key for the caller's own, or by the capability of a link.",
    responses=answers(200, ConvertedImage, 400, 404, 413, 415, 429, 503, authenticated=True),
    security=_EITHER,
    middlewares=[legacy_status_codes, *OPEN_TO_LINKS, body_limit(_CONVERT_BODY)],
)
def convert_image(
    wish: Annotated[ConvertImage | None, Body()] = None, t: Capability = None
) -> ConvertedImage:
    """The picture in base64."""
    return files().convert(anybody(router), t, wish)


def _upload_image(wish: UploadImage, request_id: str | None) -> ImageUrl:
    wish = named(wish, request_id)
    who = caller(router).acting_as(wish.userId, "userId")
    return files().upload_image(who, wish, address(router))


_OF_IMAGE: dict[str, Any] = {
    "summary": "Upload a picture",
    "description": "As JSON, or as a form (multipart/form-data) with a file and the same fields.",
    "responses": answers(200, ImageUrl, 400, 413, 415, 429, 503, authenticated=True),
    "openapi_extensions": {forms.DESCRIBED: "image"},
    "middlewares": [legacy_status_codes, *ADMITTED, WITH_FILE, forms.of("image")],
}


@router.post("/api/upload_image", operation_id="uploadImage", tags=["Files"], **_OF_IMAGE)
def upload_image(wish: UploadImage, request_id: RequestId = None) -> ImageUrl:
    """The stored picture, and links to it."""
    return _upload_image(wish, request_id)


@router.post(
    "/api/public/upload-image", operation_id="uploadPublicImage", tags=["Files"], **_OF_IMAGE
)
def upload_public_image(wish: UploadImage, request_id: RequestId = None) -> ImageUrl:
    """The same under the path of the public endpoints."""
    return _upload_image(wish, request_id)


def _of_video() -> dict[int, Any]:
    done = answers(200, VideoUrl)
    awaited = answers(202, PendingVideoUpload, 400, 413, 415, 429, 503, authenticated=True)
    awaited[202]["description"] = "To be sent in parts, or still looked at; see `statusUrl`."
    return {**done, **awaited}


@router.post(
    "/api/upload_video",
    operation_id="uploadVideo",
    tags=["Files"],
    summary="Upload a video",
    description="A small one whole, as JSON or as a form with a file; of a large one its "
    "`fileSize`: the answer says where its parts are put.",
    responses=_of_video(),
    openapi_extensions={forms.DESCRIBED: "video"},
    middlewares=[legacy_status_codes, *ADMITTED, WITH_FILE, forms.of("video")],
)
def upload_video(wish: UploadVideo, request_id: RequestId = None) -> Response[str]:
    """200 with links to it, 202 while it is to be sent or looked at."""
    wish = named(wish, request_id)
    who = caller(router).acting_as(wish.userId, "userId")
    made = files().upload_video(who, wish, address(router))
    status, headers = 200, {}
    if isinstance(made, PendingVideoUpload):
        status, headers = 202, {"Location": made.statusUrl, "Retry-After": "1"}
    return Response(
        status_code=status,
        content_type=JSON,
        body=made.model_dump_json(exclude_none=True),
        headers=dict(headers),
    )
