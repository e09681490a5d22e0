"""Routes of the media library."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from api.dependencies import media
from api.openapi.responses import empty_responses, json_responses
from api.routes import AUTHENTICATED, address, bodiless, caller, new_router
from api.routes.time_params import CreatedAfter, CreatedBefore
from api.schemas.media import Kind, MediaObject, MediaPage
from common.database.media import Search
from common.schemas.base import STORABLE

MediaId = Annotated[str, Path(pattern=r"^med_[0-9A-Z]{26}$", description="Id of a media object.")]

router = new_router()


@router.get(
    "/v1/media",
    operation_id="listMedia",
    tags=["Media"],
    summary="List media",
    description="Returns your images, clips, finished videos and uploads, newest first.",
    responses=json_responses(200, MediaPage, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def list_media(
    kind: Annotated[Kind | None, Query(description="Only media of this kind.")] = None,
    video: Annotated[
        str | None, Query(pattern=r"^vid_[0-9A-Z]{26}$", description="Only media of this video.")
    ] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Only media with this text in name, title or prompt."),
        STORABLE,
    ] = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    limit: Annotated[
        int, Query(ge=1, le=100, description="Maximum number of objects to return.")
    ] = 20,
    cursor: Annotated[
        str | None,
        Query(pattern=r"^med_[0-9A-Z]{26}$", description="`next_cursor` of the previous page."),
    ] = None,
) -> MediaPage:
    """Return a page of media."""
    search = Search(kind, video, q, created_after, created_before)
    return media().page(caller(router), search, limit=limit, before=cursor, address=address(router))


@router.get(
    "/v1/media/<media_id>",
    operation_id="getMedia",
    tags=["Media"],
    summary="Retrieve a media object",
    description="Returns one of your media objects, with a signed link that expires after an hour.",
    responses=json_responses(200, MediaObject, 404, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def get_media(media_id: MediaId) -> MediaObject:
    """Return the object with a link that works for an hour."""
    return media().get(caller(router), media_id, address=address(router))


@router.delete(
    "/v1/media/<media_id>",
    operation_id="deleteMedia",
    tags=["Media"],
    summary="Delete a media object",
    description="Deletes an upload, or a version that a newer one replaced. To delete the current "
    "media of a video, delete the video.",
    responses=empty_responses(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=AUTHENTICATED,
)
def delete_media(media_id: MediaId) -> Response[str]:
    """Return 204 after the deletion."""
    media().delete(caller(router), media_id)
    return bodiless(204)


@router.delete(
    "/v1/media/links",
    operation_id="revokeMediaLinks",
    tags=["Media"],
    summary="Revoke all links",
    description="Revokes every existing link to your media. New links can be created immediately. "
    "Two kinds of URL remain valid: redirects that a link already issued, for up to five minutes, "
    "and upload URLs, which cannot read anything, until their `expires_at` (one hour).",
    responses=empty_responses(422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=AUTHENTICATED,
)
def revoke_links() -> Response[str]:
    """Return 204; no link issued before works any more."""
    media().revoke_links(caller(router))
    return bodiless(204)
