"""Routes of the library."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from api.dependencies import media
from api.openapi.responses import answers, empty
from api.routes import ADMITTED, address, bodiless, caller, group
from api.routes.time_params import CreatedAfter, CreatedBefore
from api.schemas.media import Kind, MediaObject, MediaPage
from common.database.media import Search
from common.schemas.base import STORABLE

MediaId = Annotated[str, Path(pattern=r"^med_[0-9A-Z]{26}$", description="Id of a media object.")]

router = group()


@router.get(
    "/v1/media",
    operation_id="listMedia",
    tags=["Media"],
    summary="List media",
    description="Pictures, clips, finished videos and uploads of the caller, newest first.",
    responses=answers(200, MediaPage, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_media(
    kind: Annotated[Kind | None, Query(description="Only these.")] = None,
    video: Annotated[
        str | None, Query(pattern=r"^vid_[0-9A-Z]{26}$", description="Only of this video.")
    ] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Text in its name, title or prompt."),
        STORABLE,
    ] = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 20,
    cursor: Annotated[
        str | None,
        Query(pattern=r"^med_[0-9A-Z]{26}$", description="`next_cursor` of the page before."),
    ] = None,
) -> MediaPage:
    """One page."""
    search = Search(kind, video, q, created_after, created_before)
    return media().page(caller(router), search, limit=limit, before=cursor, address=address(router))


@router.get(
    "/v1/media/<media_id>",
    operation_id="getMedia",
    tags=["Media"],
    summary="Show a media object",
    responses=answers(200, MediaObject, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def get_media(media_id: MediaId) -> MediaObject:
    """The object, with a link that works for an hour."""
    return media().get(caller(router), media_id, address=address(router))


@router.delete(
    "/v1/media/<media_id>",
    operation_id="deleteMedia",
    tags=["Media"],
    summary="Delete a media object",
    description="An upload, or a version that a newer one has replaced. What a video is made of "
    "as it is now goes with the video: `DELETE /v1/videos/{id}`.",
    responses=empty(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=ADMITTED,
)
def delete_media(media_id: MediaId) -> Response[str]:
    """204, and it is gone."""
    media().delete(caller(router), media_id)
    return bodiless(204)


@router.delete(
    "/v1/media/links",
    operation_id="revokeMediaLinks",
    tags=["Media"],
    summary="End all links",
    description="Every link to the caller's media that was given out so far stops working, "
    "whoever holds it. New ones can be made at once. Two things go on: what a link was opened for "
    "just before, because its redirect leads to the store by a URL of five minutes, and uploads "
    "that were announced, whose URLs read nothing and work until `expires_at` (an hour).",
    responses=empty(422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=ADMITTED,
)
def end_links() -> Response[str]:
    """204, and no link of before leads anywhere."""
    media().end_links(caller(router))
    return bodiless(204)
