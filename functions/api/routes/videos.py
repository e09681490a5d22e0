"""Routes of videos."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from api.dependencies import cancellation, database, deletion, listing, videos
from api.http import prefer_wait
from api.http.idempotency import IdempotencyKey, IdempotentRequest
from api.http.prefer_wait import Prefer
from api.http.response import JsonResponse
from api.openapi.responses import empty_responses, json_responses
from api.routes import (
    AUTHENTICATED,
    WITH_FILE,
    RequestId,
    address,
    bodiless,
    caller,
    idempotent_request,
    is_proxy_id,
    new_router,
    seconds_left,
    with_request_id,
)
from api.routes.time_params import CreatedAfter, CreatedBefore
from api.schemas.cancellation import PROVIDER_DESCRIPTION, Cancellation, CancelVideo
from api.schemas.listing import EventPage
from api.schemas.videos import Download, VideoObject, VideoPage
from api.services.listing import search
from common.aws.log import logger
from common.domain.caller import Caller
from common.domain.errors import Conflict, TransientError
from common.domain.video import Status
from common.schemas.base import SLUG, Text
from common.schemas.requests import CreateVideoRequest, ResumeVideoRequest

VideoId = Annotated[str, Path(pattern=SLUG, description="Id or `request_id` of the video.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items to return.")]
CursorText = Annotated[
    str | None,
    Query(alias="cursor", max_length=64, description="`next_cursor` of the previous page."),
]
router = new_router()


def _run_responses(*errors: int) -> dict[int, Any]:
    """Return the responses of a route that starts a run and optionally waits for its end."""
    ended = json_responses(
        200, VideoObject, description="The run ended within the time of `Prefer: wait=N`."
    )
    accepted = json_responses(
        202,
        VideoObject,
        *errors,
        description="The video was accepted and is in progress.",
        authenticated=True,
    )
    return {**ended, **accepted}


@router.post(
    "/v1/videos",
    operation_id="createVideo",
    tags=["Videos"],
    summary="Create a video",
    description="Starts generating a video. Poll `links.self` of the response until the video "
    "ends, or send `Prefer: wait=N`.",
    responses=_run_responses(400, 402, 409, 413, 415, 422, 429, 503),
    status_code=202,
    middlewares=[*AUTHENTICATED, WITH_FILE],
)
def create_video(
    body: CreateVideoRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 202 with the video, its URL and Retry-After; 200 once its run has ended."""
    owner = caller(router).acting_as(body.user_id, "user_id")
    idempotency = idempotent_request(router, key, owner, request_id)
    response = idempotency.cached_response(database()) or _create(
        owner, body, idempotency, request_id
    )
    return _wait_for_end(prefer, videos().with_links(response, address(router)), owner)


def _create(
    owner: Caller,
    body: CreateVideoRequest,
    idempotency: IdempotentRequest,
    request_id: str | None,
) -> JsonResponse:
    named = with_request_id(body, request_id)
    try:
        return videos().create(owner, named, idempotency)
    except Conflict as error:
        # A proxy may reuse one id for several requests, so its id must not cause a conflict.
        is_from_proxy = named.request_id != body.request_id and is_proxy_id(request_id)
        if error.error_code != "video.exists" or not is_from_proxy:
            raise
        return videos().create(owner, body, idempotency)


@router.get(
    "/v1/videos",
    operation_id="listVideos",
    tags=["Videos"],
    summary="List videos",
    description="Returns your videos, newest first. Filters are combined with AND.",
    responses=json_responses(200, VideoPage, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def list_videos(
    limit: Limit = 20,
    cursor: CursorText = None,
    status: Annotated[
        list[Status] | None, Query(description="Only videos with one of these statuses.")
    ] = None,
    style: Annotated[
        str | None, Query(max_length=100, description="Only videos of this style.")
    ] = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    q: Annotated[
        Text | None,
        Query(
            max_length=200,
            description="Full-text search in prompt and title. Every term must match the beginning "
            "of a word; in scripts without spaces between words, any substring.",
        ),
    ] = None,
    metadata: Annotated[
        list[Text] | None,
        Query(
            max_length=16, description="Only videos with this metadata, as `key:value`. Repeatable."
        ),
    ] = None,
) -> VideoPage:
    """Return a page of videos."""
    filters = search(
        statuses=[*map(str, status or [])],
        style_name=style,
        after=created_after,
        before=created_before,
        text=q,
        metadata=metadata,
    )
    return listing().videos(caller(router), filters, limit=limit, cursor=cursor)


@router.get(
    "/v1/videos/<video_id>",
    operation_id="getVideo",
    tags=["Videos"],
    summary="Retrieve a video",
    description="Returns one of your videos with its scenes, output and cost.",
    responses=json_responses(200, VideoObject, 404, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def get_video(video_id: VideoId, prefer: Prefer = None) -> Response[str]:
    """Return the video; with Retry-After while it is in progress."""
    return _wait_for_end(prefer, videos().show(caller(router), video_id, address(router)))


@router.delete(
    "/v1/videos/<video_id>",
    operation_id="deleteVideo",
    tags=["Videos"],
    summary="Delete a video",
    description="Permanently deletes the video and every version of its media. A video in progress "
    "must be canceled first. Its cost stays in usage and caps.",
    responses=empty_responses(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=AUTHENTICATED,
)
def delete_video(video_id: VideoId) -> Response[str]:
    """Return 204 after the deletion."""
    deletion().delete(caller(router), video_id)
    return bodiless(204)


@router.get(
    "/v1/videos/<video_id>/events",
    operation_id="listVideoEvents",
    tags=["Videos"],
    summary="List the events of a video",
    description="Returns the events of all runs of a video, oldest first.",
    responses=json_responses(200, EventPage, 404, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def list_events(video_id: VideoId, limit: Limit = 100, cursor: CursorText = None) -> EventPage:
    """Return a page of events."""
    return listing().events(caller(router), video_id, limit=limit, cursor=cursor)


@router.get(
    "/v1/videos/<video_id>/download",
    operation_id="getVideoDownload",
    tags=["Videos"],
    summary="Get a download link",
    description="Returns a link that downloads the finished video. It expires after an hour.",
    responses=json_responses(200, Download, 404, 409, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def download_video(video_id: VideoId) -> Download:
    """Return a link that works for an hour."""
    return videos().download(caller(router), video_id, address(router))


@router.post(
    "/v1/videos/<video_id>/resume",
    operation_id="resumeVideo",
    tags=["Videos"],
    summary="Resume a video",
    description="Starts a new run that generates what is missing from the video; only that is "
    "charged. The body can change parameters; omitted ones keep their values. To continue after "
    "`provider.outcome_unknown`, send `on_unknown` = `resubmit_once`; after `max_cost` was "
    "reached, send a higher `max_cost`; after content was declined, send other texts in `scenes` "
    "or `prompt`. If a change is invalid, nothing is stored.",
    responses=_run_responses(400, 402, 404, 409, 415, 422, 429, 503),
    status_code=202,
    middlewares=AUTHENTICATED,
)
def resume_video(
    video_id: VideoId,
    body: Annotated[ResumeVideoRequest | None, Body()] = None,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[str]:
    """Return 202 with the video; 200 once its run has ended."""
    idempotency, changes = idempotent_request(router, key), body or ResumeVideoRequest()
    response = idempotency.cached_response(database()) or videos().resume(
        caller(router), video_id, changes, idempotency
    )
    return _wait_for_end(prefer, videos().with_links(response, address(router)))


@router.post(
    "/v1/videos/<video_id>/cancel",
    operation_id="cancelVideo",
    tags=["Videos"],
    summary="Cancel a video",
    description="Ends the run; no new provider calls are made. Jobs that a provider already "
    "accepted continue, and their results are collected within minutes or when the video is "
    "resumed. Set `provider`, in the body or in the query, to cancel these jobs too. The response "
    "states what is billed. Canceling again has no effect.",
    responses=json_responses(
        200, Cancellation, 400, 404, 409, 415, 422, 429, 503, authenticated=True
    ),
    middlewares=AUTHENTICATED,
)
def cancel_video(
    video_id: VideoId,
    body: Annotated[CancelVideo | None, Body()] = None,
    provider: Annotated[bool | None, Query(description=PROVIDER_DESCRIPTION)] = None,
) -> Cancellation:
    """Return the canceled video and its billing."""
    cancel_jobs = (body or CancelVideo()).cancels_provider_jobs(provider)
    return cancellation().cancel(
        caller(router),
        video_id,
        address(router),
        provider=cancel_jobs,
        seconds_left=seconds_left(router),
    )


def _wait_for_end(
    prefer: str | None, response: JsonResponse, owner: Caller | None = None
) -> Response[str]:
    """Return the response; with `Prefer: wait=N`, wait first and return the current video."""
    seconds = prefer_wait.requested_seconds(prefer)
    if seconds is None or response.video_id is None:
        return response.response()
    ended = prefer_wait.until_ended(
        database(), response.video_id, min(seconds, seconds_left(router))
    )
    try:
        video = videos().get(owner or caller(router), response.video_id, address(router))
        response = response.with_body(video, ended=ended)
    except TransientError as error:  # an accepted run stays accepted
        logger.warning("video not reloaded", extra={"code": error.error_code})
    return response.response(Preference_Applied=f"wait={seconds}")
