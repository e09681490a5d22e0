"""Routes of videos."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from api.document import answers
from api.middleware import JSON
from api.resources import videos
from api.routes import ADMITTED, caller, group
from api.schemas.videos import Download, VideoObject, VideoPage
from common.wishes import CreateVideo

_POLL_SECONDS = 2
VideoId = Annotated[str, Path(pattern=r"^vid_[0-9A-Z]{26}$", description="Id of a video.")]

router = group()


def _accepted(video: VideoObject) -> Response[VideoObject]:
    return Response(
        status_code=202,
        content_type=JSON,
        body=video,
        headers={"Location": video.links.self, "Retry-After": str(_POLL_SECONDS)},
    )


@router.post(
    "/v1/videos",
    summary="Make a video",
    description="Accepts the wish and starts a run. Poll the answer's `links.self`.",
    responses=answers(202, VideoObject, 400, 402, 413, 415, 422, 429, 503, authenticated=True),
    status_code=202,
    middlewares=ADMITTED,
)
def create_video(wish: CreateVideo) -> Response[VideoObject]:
    """202 with the video, its address, and when to look again."""
    return _accepted(videos().create(caller(router), wish))


@router.get(
    "/v1/videos",
    summary="List videos",
    description="The caller's videos, newest first.",
    responses=answers(200, VideoPage, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_videos(
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 20,
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before.")
    ] = None,
) -> VideoPage:
    """One page."""
    return videos().page(caller(router), limit, cursor)


@router.get(
    "/v1/videos/<video_id>",
    summary="Show a video",
    responses=answers(200, VideoObject, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def get_video(video_id: VideoId) -> Response[VideoObject]:
    """The video; while it is made, with a hint when to look again."""
    video = videos().get(caller(router), video_id)
    headers = {} if video.completed_at else {"Retry-After": str(_POLL_SECONDS)}
    return Response(status_code=200, content_type=JSON, body=video, headers=dict(headers))


@router.get(
    "/v1/videos/<video_id>/download",
    summary="Get a fresh download link",
    responses=answers(200, Download, 404, 409, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def download_video(video_id: VideoId) -> Download:
    """A link that works for an hour."""
    return videos().download(caller(router), video_id)


@router.post(
    "/v1/videos/<video_id>/resume",
    summary="Resume a failed video",
    description="Starts a new run over what is finished; only what is missing is paid for.",
    responses=answers(202, VideoObject, 402, 404, 409, 422, 429, 503, authenticated=True),
    status_code=202,
    middlewares=ADMITTED,
)
def resume_video(video_id: VideoId) -> Response[VideoObject]:
    """202 with the video."""
    return _accepted(videos().resume(caller(router), video_id))
