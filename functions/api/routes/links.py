"""Routes of signed links: the capability in the URL authorizes the request, without an API key."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BeforeValidator

from api.dependencies import links, store, videos
from api.openapi.responses import empty_responses
from api.routes import bodiless, new_router
from api.services.links import STORE_SECONDS, LinkKind


def _single(value: object) -> object:
    """Treat repeated capabilities as an invalid one, so that the response is 404 and not 422."""
    return "" if isinstance(value, list) else value


Capability = Annotated[
    str | None,
    Query(description="Token of the signed link."),
    BeforeValidator(_single),
]
Download = Annotated[
    bool,
    Query(description="Set to `true` to download the file instead of displaying it."),
    BeforeValidator(lambda value: value == "true"),  # only an invalid capability fails a link
]
UserId = Annotated[str, Path(description="Owner of the object.")]
RequestId = Annotated[str, Path(description="Id of the video or upload.")]
Folder = Annotated[str, Path(description="Folder of the object.")]
Name = Annotated[str, Path(description="File name of the object.")]

# Pages of any origin may embed the object: a signed link authorizes every holder.
_HEADERS = {"Cross-Origin-Resource-Policy": "cross-origin"}
_GET = "Redirects to the file. The link works without an API key until it expires or is revoked."
_HEAD = "Redirects to the file. Follow the redirect with HEAD to read its size and type."
_REDIRECT = "Redirects to a presigned URL that is valid for five minutes."
_RESPONSES = empty_responses(404, 503, status=302, description=_REDIRECT)

router = new_router()


def _redirect(kind: LinkKind, key: str, capability: str | None, *, download: bool) -> Response[str]:
    video_id = links().authorize(kind, key, capability, "GET")
    filename = None
    if download:
        filename = videos().filename(video_id, key) if video_id else key.rpartition("/")[2]
    target = store().link(key, seconds=STORE_SECONDS, filename=filename)
    return bodiless(302, {**_HEADERS, "Location": target})


def _redirect_head(kind: LinkKind, key: str, capability: str | None) -> Response[str]:
    """Redirect HEAD to S3 as well: API Gateway renames a Content-Length sent by a function."""
    links().authorize(kind, key, capability, "HEAD")
    target = store().link(key, seconds=STORE_SECONDS, method="HEAD")
    return bodiless(302, {**_HEADERS, "Location": target})


@router.get(
    "/api/proxy_s3_image/<user_id>/<request_id>/<folder>/<name>",
    operation_id="readImage",
    tags=["Links"],
    summary="Read an image through its signed link",
    description=_GET,
    responses=_RESPONSES,
    status_code=302,
    security=[],
)
def read_image(
    user_id: UserId,
    request_id: RequestId,
    folder: Folder,
    name: Name,
    t: Capability = None,
    download: Download = False,
) -> Response[str]:
    """Redirect to the image."""
    key = f"{user_id}/{request_id}/{folder}/{name}"
    return _redirect("image", key, t, download=download)


@router.head(
    "/api/proxy_s3_image/<user_id>/<request_id>/<folder>/<name>",
    operation_id="headImage",
    tags=["Links"],
    summary="Retrieve the size and type of an image through its signed link",
    description=_HEAD,
    responses=_RESPONSES,
    status_code=302,
    security=[],
)
def head_image(
    user_id: UserId, request_id: RequestId, folder: Folder, name: Name, t: Capability = None
) -> Response[str]:
    """Redirect to a presigned URL for HEAD."""
    return _redirect_head("image", f"{user_id}/{request_id}/{folder}/{name}", t)


@router.get(
    "/api/proxy_s3_video/<user_id>/<request_id>/<folder>/<name>",
    operation_id="readVideo",
    tags=["Links"],
    summary="Read a clip, video or audio file through its signed link",
    description=_GET,
    responses=_RESPONSES,
    status_code=302,
    security=[],
)
def read_video(
    user_id: UserId,
    request_id: RequestId,
    folder: Folder,
    name: Name,
    t: Capability = None,
    download: Download = False,
) -> Response[str]:
    """Redirect to the object."""
    key = f"{user_id}/{request_id}/{folder}/{name}"
    return _redirect("video", key, t, download=download)


@router.head(
    "/api/proxy_s3_video/<user_id>/<request_id>/<folder>/<name>",
    operation_id="headVideo",
    tags=["Links"],
    summary="Retrieve the size and type of a clip, video or audio file through its signed link",
    description=_HEAD,
    responses=_RESPONSES,
    status_code=302,
    security=[],
)
def head_video(
    user_id: UserId, request_id: RequestId, folder: Folder, name: Name, t: Capability = None
) -> Response[str]:
    """Redirect to a presigned URL for HEAD."""
    return _redirect_head("video", f"{user_id}/{request_id}/{folder}/{name}", t)
