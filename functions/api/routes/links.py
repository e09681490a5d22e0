"""Routes that lead to media without a header: the URL itself carries the right to read."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BeforeValidator

from api.dependencies import links, store, videos
from api.openapi.responses import empty
from api.routes import bodiless, group
from api.services.links import STORE_SECONDS, Shown


def _only_one(said: object) -> object:
    """Take several capabilities for none: whatever is not one that the API made is answered 404."""
    return "" if isinstance(said, list) else said


Capability = Annotated[
    str | None,
    Query(description="The right to read, as the API put it into the link."),
    BeforeValidator(_only_one),
]
Download = Annotated[
    bool,
    Query(description="Be saved as a file, not shown."),
    BeforeValidator(lambda said: said == "true"),  # links are refused for nothing but capabilities
]
UserId = Annotated[str, Path(description="The owner.")]
RequestId = Annotated[str, Path(description="The video, or the upload.")]
Folder = Annotated[str, Path(description="The kind of media.")]
Name = Annotated[str, Path(description="The object.")]

# Other origins may show what a link leads to: whoever holds it may read it.
_HEADERS = {"Cross-Origin-Resource-Policy": "cross-origin"}
_READ = empty(404, 503, status=302, does="Leads to the object by a presigned URL of five minutes.")
_ASK = empty(404, 503, status=302, does="Leads to the object's size and type, for five minutes.")

router = group()


def _lead(kind: Shown, key: str, capability: str | None, *, download: bool) -> Response[str]:
    video_id = links().lead(kind, key, capability, "GET")
    filename = None
    if download:
        filename = videos().filename(video_id, key) if video_id else key.rpartition("/")[2]
    target = store().link(key, seconds=STORE_SECONDS, filename=filename)
    return bodiless(302, {**_HEADERS, "Location": target})


def _lead_to_facts(kind: Shown, key: str, capability: str | None) -> Response[str]:
    """Answer HEAD as GET: API Gateway renames a Content-Length that a function sends."""
    links().lead(kind, key, capability, "HEAD")
    target = store().link(key, seconds=STORE_SECONDS, method="HEAD")
    return bodiless(302, {**_HEADERS, "Location": target})


@router.get(
    "/api/proxy_s3_image/<user_id>/<request_id>/<folder>/<name>",
    operation_id="readImage",
    tags=["Links"],
    summary="Read a picture by its link",
    responses=_READ,
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
    """302 to the picture."""
    key = f"{user_id}/{request_id}/{folder}/{name}"
    return _lead("image", key, t, download=download)


@router.head(
    "/api/proxy_s3_image/<user_id>/<request_id>/<folder>/<name>",
    operation_id="headImage",
    tags=["Links"],
    summary="Ask after a picture by its link",
    responses=_ASK,
    status_code=302,
    security=[],
)
def ask_image(
    user_id: UserId, request_id: RequestId, folder: Folder, name: Name, t: Capability = None
) -> Response[str]:
    """302 to its size and type, by HEAD again."""
    return _lead_to_facts("image", f"{user_id}/{request_id}/{folder}/{name}", t)


@router.get(
    "/api/proxy_s3_video/<user_id>/<request_id>/<folder>/<name>",
    operation_id="readVideo",
    tags=["Links"],
    summary="Read a clip, a video or a sound by its link",
    responses=_READ,
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
    """302 to the object."""
    key = f"{user_id}/{request_id}/{folder}/{name}"
    return _lead("video", key, t, download=download)


@router.head(
    "/api/proxy_s3_video/<user_id>/<request_id>/<folder>/<name>",
    operation_id="headVideo",
    tags=["Links"],
    summary="Ask after a clip, a video or a sound by its link",
    responses=_ASK,
    status_code=302,
    security=[],
)
def ask_video(
    user_id: UserId, request_id: RequestId, folder: Folder, name: Name, t: Capability = None
) -> Response[str]:
    """302 to its size and type, by HEAD again."""
    return _lead_to_facts("video", f"{user_id}/{request_id}/{folder}/{name}", t)
