"""Routes of uploads."""

from aws_lambda_powertools.event_handler import Response

from api.dependencies import media, uploads
from api.http.middleware import JSON
from api.openapi.responses import empty_responses, json_responses
from api.routes import AUTHENTICATED, address, bodiless, caller, new_router
from api.routes.media import MediaId
from api.schemas.media import MediaObject
from api.schemas.uploads import CompleteUpload, CreateUpload, UploadObject

router = new_router()


@router.post(
    "/v1/uploads",
    operation_id="createUpload",
    tags=["Uploads"],
    summary="Create an upload",
    description="Registers an image, video or audio file, and returns a form or part URLs to send "
    "it to. The file is inspected after it arrives; poll `links.self` until `status` is `ready` or "
    "`refused`.",
    responses=json_responses(201, UploadObject, 400, 413, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=AUTHENTICATED,
)
def create_upload(body: CreateUpload) -> Response[UploadObject]:
    """Return 201 with the form or the part URLs."""
    upload = uploads().create(caller(router), body)
    headers = {"Location": upload.links.self}
    return Response(status_code=201, content_type=JSON, body=upload, headers=dict(headers))


@router.post(
    "/v1/uploads/<media_id>/complete",
    operation_id="completeUpload",
    tags=["Uploads"],
    summary="Complete a multipart upload",
    description="Combines the parts into a file, which is then inspected. Send the ETags of all "
    "parts, in order.",
    responses=json_responses(
        202, MediaObject, 400, 404, 409, 415, 422, 429, 503, authenticated=True
    ),
    status_code=202,
    middlewares=AUTHENTICATED,
)
def complete_upload(media_id: MediaId, body: CompleteUpload) -> Response[MediaObject]:
    """Return 202; the file is being inspected."""
    owner = caller(router)
    uploads().complete(owner, media_id, body)
    item = media().get(owner, media_id, address=address(router))
    headers = {"Location": item.links.self, "Retry-After": "1"}
    return Response(status_code=202, content_type=JSON, body=item, headers=dict(headers))


@router.post(
    "/v1/uploads/<media_id>/abort",
    operation_id="abortUpload",
    tags=["Uploads"],
    summary="Abort an upload",
    description="Deletes the upload and the parts that were sent.",
    responses=empty_responses(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=AUTHENTICATED,
)
def abort_upload(media_id: MediaId) -> Response[str]:
    """Return 204; the upload no longer exists."""
    uploads().abort(caller(router), media_id)
    return bodiless(204)
