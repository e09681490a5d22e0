"""Routes of videos."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from api.dependencies import cancellation, database, deletion, listing, videos
from api.http import prefer_wait
from api.http.idempotency import IdempotencyKey, IdempotentRequest
from api.http.prefer_wait import Prefer
from api.http.response import JsonResponse
from api.openapi.responses import answers, empty
from api.routes import (
    ADMITTED,
    WITH_FILE,
    RequestId,
    address,
    bodiless,
    caller,
    group,
    is_of_a_proxy,
    named,
    once,
    seconds_left,
)
from api.routes.time_params import CreatedAfter, CreatedBefore
from api.schemas.cancellation import PROVIDER_TOO, Cancellation, CancelVideo
from api.schemas.listing import EventPage
from api.schemas.videos import Download, VideoObject, VideoPage
from api.services.listing import search
from common.aws.log import logger
from common.domain.caller import Caller
from common.domain.errors import Conflict, TransientError
from common.domain.video import Status
from common.schemas.base import SLUG, Text
from common.schemas.requests import CreateVideoRequest, ResumeVideoRequest

VideoId = Annotated[str, Path(pattern=SLUG, description="Id of a video, or its `request_id`.")]
Limit = Annotated[int, Query(ge=1, le=100, description="At most so many.")]
CursorText = Annotated[
    str | None,
    Query(alias="cursor", max_length=64, description="`next_cursor` of the page before."),
]
router = group()


def _started(*refusals: int) -> dict[int, Any]:
    """Describe the answers of a route that starts a run, for which a client may wait."""
    accepted = answers(202, VideoObject, *refusals, authenticated=True)
    accepted[202]["description"] = "Accepted; it is being made."
    ended = answers(200, VideoObject)
    ended[200]["description"] = "It has ended within the time that the client wanted to wait."
    return {**ended, **accepted}


@router.post(
    "/v1/videos",
    operation_id="createVideo",
    tags=["Videos"],
    summary="Make a video",
    description="Accepts the wish and starts a run. Poll the answer's `links.self`.",
    responses=_started(400, 402, 409, 413, 415, 422, 429, 503),
    status_code=202,
    middlewares=[*ADMITTED, WITH_FILE],
)
def create_video(
    wish: CreateVideoRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """202 with the video, its address, and when to look again; 200 once it has ended."""
    who = caller(router).acting_as(wish.userId, "userId")
    request = once(router, key, who, request_id)
    answer = request.cached_response(database()) or _created(who, wish, request, request_id)
    return _patiently(prefer, videos().with_links(answer, address(router)), who)


def _created(
    who: Caller, wish: CreateVideoRequest, request: IdempotentRequest, request_id: str | None
) -> JsonResponse:
    try:
        return videos().create(who, named(wish, request_id), request)
    except Conflict as error:
        # A proxy may give one id to several requests. Its id is no reason to refuse one of them.
        ours = named(wish, request_id).requestId != wish.requestId and is_of_a_proxy(request_id)
        if error.error_code != "video.exists" or not ours:
            raise
        return videos().create(who, wish, request)


@router.get(
    "/v1/videos",
    operation_id="listVideos",
    tags=["Videos"],
    summary="List videos",
    description="The caller's videos, newest first; those that meet every condition.",
    responses=answers(200, VideoPage, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_videos(
    limit: Limit = 20,
    cursor: CursorText = None,
    status: Annotated[list[Status] | None, Query(description="One of these.")] = None,
    style: Annotated[str | None, Query(max_length=100, description="Of this style.")] = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    q: Annotated[
        Text | None,
        Query(
            max_length=200,
            description="Beginnings of words in prompt or title, all of them; in scripts without "
            "spaces between words, any part.",
        ),
    ] = None,
    metadata: Annotated[
        list[Text] | None, Query(max_length=16, description="With this `key:value`.")
    ] = None,
) -> VideoPage:
    """One page."""
    wanted = search(
        statuses=[*map(str, status or [])],
        styled=style,
        after=created_after,
        before=created_before,
        text=q,
        metadata=metadata,
    )
    return listing().videos(caller(router), wanted, limit=limit, cursor=cursor)


@router.get(
    "/v1/videos/<video_id>",
    operation_id="getVideo",
    tags=["Videos"],
    summary="Show a video",
    responses=answers(200, VideoObject, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def get_video(video_id: VideoId, prefer: Prefer = None) -> Response[str]:
    """The video; while it is made, with a hint when to look again."""
    return _patiently(prefer, videos().show(caller(router), video_id, address(router)))


@router.delete(
    "/v1/videos/<video_id>",
    operation_id="deleteVideo",
    tags=["Videos"],
    summary="Delete a video",
    description="For good: its rows, and every version of its media. One that is being made is "
    "canceled first. What it cost stays counted.",
    responses=empty(404, 409, 422, 429, 503, authenticated=True),
    status_code=204,
    middlewares=ADMITTED,
)
def delete_video(video_id: VideoId) -> Response[str]:
    """204, and it is gone."""
    deletion().delete(caller(router), video_id)
    return bodiless(204)


@router.get(
    "/v1/videos/<video_id>/events",
    operation_id="listVideoEvents",
    tags=["Videos"],
    summary="Show what happened",
    description="The timeline of all runs of a video, oldest first.",
    responses=answers(200, EventPage, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_events(video_id: VideoId, limit: Limit = 100, cursor: CursorText = None) -> EventPage:
    """One page."""
    return listing().events(caller(router), video_id, limit=limit, cursor=cursor)


@router.get(
    "/v1/videos/<video_id>/download",
    operation_id="getVideoDownload",
    tags=["Videos"],
    summary="Get a fresh download link",
    responses=answers(200, Download, 404, 409, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def download_video(video_id: VideoId) -> Download:
    """A link that works for an hour."""
    return videos().download(caller(router), video_id, address(router))


@router.post(
    "/v1/videos/<video_id>/resume",
    operation_id="resumeVideo",
    tags=["Videos"],
    summary="Resume a video that is not finished",
    description="Starts a new run that makes what the video lacks, whatever its last run was for; "
    "only that is paid for. Without a body, under the terms of before; with one, under those that "
    "it names. A run that failed with `provider.outcome_unknown` goes on with `on_unknown` = "
    "`resubmit_once`, one that reached its `max_cost` with a higher one, and one that was declined "
    "with other words in `scenes` or `prompt`. Refused changes store nothing.",
    responses=_started(400, 402, 404, 409, 415, 422, 429, 503),
    status_code=202,
    middlewares=ADMITTED,
)
def resume_video(
    video_id: VideoId,
    terms: Annotated[ResumeVideoRequest | None, Body()] = None,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[str]:
    """202 with the video; 200 once it has ended."""
    request, terms = once(router, key), terms or ResumeVideoRequest()
    answer = request.cached_response(database()) or videos().resume(
        caller(router), video_id, terms, request
    )
    return _patiently(prefer, videos().with_links(answer, address(router)))


@router.post(
    "/v1/videos/<video_id>/cancel",
    operation_id="cancelVideo",
    tags=["Videos"],
    summary="Cancel a video",
    description="Nothing new is started for it from now on. What the provider is at goes on, and "
    "is collected within minutes or when the video is resumed, unless it is canceled too: by "
    "`provider`, in the body or in the query. The answer says what is billed. Canceling again "
    "changes nothing.",
    responses=answers(200, Cancellation, 400, 404, 409, 415, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def cancel_video(
    video_id: VideoId,
    terms: Annotated[CancelVideo | None, Body()] = None,
    provider: Annotated[bool | None, Query(description=PROVIDER_TOO)] = None,
) -> Cancellation:
    """The canceled video, and what is billed."""
    too = (terms or CancelVideo()).reaches_provider(provider)
    return cancellation().cancel(
        caller(router),
        video_id,
        address(router),
        provider=too,
        seconds_left=seconds_left(router),
    )


def _patiently(
    prefer: str | None, answer: JsonResponse, who: Caller | None = None
) -> Response[str]:
    """Send the answer; to a client that waits, with the video as it is at the end of that time."""
    seconds = prefer_wait.asked(prefer)
    if seconds is None or answer.video_id is None:
        return answer.response()
    ended = prefer_wait.until_ended(database(), answer.video_id, min(seconds, seconds_left(router)))
    try:
        video = videos().get(who or caller(router), answer.video_id, address(router))
        answer = answer.now(video, ended=ended)
    except TransientError as error:  # what was accepted stays accepted
        logger.warning("not shown anew", extra={"code": error.error_code})
    return answer.response(Preference_Applied=f"wait={seconds}")
