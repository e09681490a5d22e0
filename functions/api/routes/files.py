"""Routes of the legacy API for files, with its paths and fields."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from api.dependencies import files
from api.http import forms
from api.http.middleware import JSON, body_limit, legacy_status_codes
from api.openapi.responses import json_responses
from api.routes import (
    AUTHENTICATED,
    KEY_OR_LINK,
    WITH_FILE,
    RequestId,
    address,
    caller,
    new_router,
    optional_caller,
    with_request_id,
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

# An API key for the caller's own media, or no key and the capability of a signed link.
_EITHER: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"apiKey": []}]

# Limit of a request that names one image; requests without a key are not rate limited.
_CONVERT_BODY = 4 * 1024

router = new_router()


@router.get(
    "/api/get_presigned_url",
    operation_id="getPresignedUrl",
    tags=["Files"],
    summary="Get a fresh link to a media object",
    description="With an API key, returns a link to one of your media objects, by `id` or `key`. "
    "Without an API key, pass the token of an existing signed link as `t`; the new link expires no "
    "later than that one.",
    responses=json_responses(200, PresignedUrl, 400, 404, 429, 503, authenticated=True),
    security=_EITHER,
    middlewares=[legacy_status_codes, *KEY_OR_LINK],
)
def get_presigned_url(
    t: Capability = None,
    id: Annotated[MediaIdText | None, Query(description="Id of the media object.")] = None,  # noqa: A002 - the parameter's name
    key: Annotated[S3Key | None, Query(description="S3 key of the media object.")] = None,
    seconds: Annotated[
        int,
        Query(
            alias="expiresIn", ge=1, le=MAX_SECONDS, description="Lifetime of the link in seconds."
        ),
    ] = DEFAULT_SECONDS,
) -> PresignedUrl:
    """Return a signed link; the API redirects it to a presigned URL."""
    return files().link(
        optional_caller(router), t, media_id=id, key=key, seconds=seconds, address=address(router)
    )


@router.post(
    "/api/convert_s3_image_to_base64",
    operation_id="convertImageToBase64",
    tags=["Files"],
    summary="Convert an image to base64",
    description="With an API key, reads one of your images. Without an API key, pass the token of "
    "a signed link as `t`, or the link as `imageUrl`.",
    responses=json_responses(200, ConvertedImage, 400, 404, 413, 415, 429, 503, authenticated=True),
    security=_EITHER,
    middlewares=[legacy_status_codes, *KEY_OR_LINK, body_limit(_CONVERT_BODY)],
)
def convert_image(
    body: Annotated[ConvertImage | None, Body()] = None, t: Capability = None
) -> ConvertedImage:
    """Return the image in base64."""
    return files().convert(optional_caller(router), t, body)


def _upload_image(body: UploadImage, request_id: str | None) -> ImageUrl:
    body = with_request_id(body, request_id)
    owner = caller(router).acting_as(body.userId, "userId")
    return files().upload_image(owner, body, address(router))


_IMAGE_ROUTE: dict[str, Any] = {
    "summary": "Upload an image",
    "description": "Send the image as JSON, or as multipart/form-data with a file and the same "
    "fields.",
    "responses": json_responses(200, ImageUrl, 400, 413, 415, 429, 503, authenticated=True),
    "openapi_extensions": {forms.FILE_FIELD: "image"},
    "middlewares": [legacy_status_codes, *AUTHENTICATED, WITH_FILE, forms.of("image")],
}


@router.post("/api/upload_image", operation_id="uploadImage", tags=["Files"], **_IMAGE_ROUTE)
def upload_image(body: UploadImage, request_id: RequestId = None) -> ImageUrl:
    """Return the stored image with links to it."""
    return _upload_image(body, request_id)


@router.post(
    "/api/public/upload-image", operation_id="uploadPublicImage", tags=["Files"], **_IMAGE_ROUTE
)
def upload_public_image(body: UploadImage, request_id: RequestId = None) -> ImageUrl:
    """Return the same as `uploadImage`, under the path of the public endpoints."""
    return _upload_image(body, request_id)


def _video_responses() -> dict[int, Any]:
    pending = json_responses(
        202,
        PendingVideoUpload,
        *(400, 413, 415, 429, 503),
        description="The video is to be sent in parts, or is still inspected; poll `statusUrl`.",
        authenticated=True,
    )
    return {**json_responses(200, VideoUrl), **pending}


@router.post(
    "/api/upload_video",
    operation_id="uploadVideo",
    tags=["Files"],
    summary="Upload a video",
    description="Send a video of up to 4.4 MB as JSON or as a form with a file. For a larger one, "
    "send only its `fileSize`; the response has the URLs for its parts.",
    responses=_video_responses(),
    openapi_extensions={forms.FILE_FIELD: "video"},
    middlewares=[legacy_status_codes, *AUTHENTICATED, WITH_FILE, forms.of("video")],
)
def upload_video(body: UploadVideo, request_id: RequestId = None) -> Response[str]:
    """Return 200 with links to the video, or 202 until it is sent and inspected."""
    body = with_request_id(body, request_id)
    owner = caller(router).acting_as(body.userId, "userId")
    upload = files().upload_video(owner, body, address(router))
    status, headers = 200, {}
    if isinstance(upload, PendingVideoUpload):
        status, headers = 202, {"Location": upload.statusUrl, "Retry-After": "1"}
    return Response(
        status_code=status,
        content_type=JSON,
        body=upload.model_dump_json(exclude_none=True),
        headers=dict(headers),
    )
