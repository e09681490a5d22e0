"""Routes of uploads."""

from aws_lambda_powertools.event_handler import Response

from api.dependencies import media, uploads
from api.http.middleware import JSON
from api.openapi.responses import answers, empty
from api.routes import ADMITTED, address, bodiless, caller, group
from api.routes.media import MediaId
from api.schemas.media import MediaObject
from api.schemas.uploads import CompleteUpload, CreateUpload, UploadObject

router = group()


@router.post(
    "/v1/uploads",
    operation_id="createUpload",
    tags=["Uploads"],
    summary="Upload a file",
    description="Announces a picture, a video or a sound, and answers where to send its bytes: "
    "by a form, or in parts. What arrives is looked at and measured; poll `links.self` until it "
    "is `ready` or `refused`.",
    responses=answers(201, UploadObject, 400, 413, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=ADMITTED,
)
def create_upload(wish: CreateUpload) -> Response[UploadObject]:
    """201 with the way to send it."""
    made = uploads().create(caller(router), wish)
    headers = {"Location": made.links.self}
    return Response(status_code=201, content_type=JSON, body=made, headers=dict(headers))


@router.post(
    "/v1/uploads/<media_id>/complete",
    operation_id="completeUpload",
    tags=["Uploads"],
    summary="Complete an upload in parts",
    description="After the last part was sent.",
    responses=answers(202, MediaObject, 400, 404, 409, 415, 422, 429, 503, authenticated=True),
    status_code=202,
    middlewares=ADMITTED,
)
def complete_upload(media_id: MediaId, sent: CompleteUpload) -> Response[MediaObject]:
    """202; it is looked at."""
    who = caller(router)
    uploads().complete(who, media_id, sent)
    item = media().get(who, media_id, address=address(router))
    headers = {"Location": item.links.self, "Retry-After": "1"}
    return Response(status_code=202, content_type=JSON, body=item, headers=dict(headers))


@router.post(
    "/v1/uploads/<media_id>/abort",
    operation_id="abortUpload",
    tags=["Uploads"],
    summary="Abort an upload",
    description="Forgets it, and the parts that were sent.",
    responses=empty(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=ADMITTED,
)
def abort_upload(media_id: MediaId) -> Response[str]:
    """204, and it is as if it had never been."""
    uploads().abort(caller(router), media_id)
    return bodiless(204)
