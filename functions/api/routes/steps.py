"""Routes of the legacy API that run a single step of a video, with its fields.

Each starts a run and waits for its end; a run that takes longer gets 202 with a URL to poll.
"""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from api.dependencies import database, step_results, steps
from api.http import prefer_wait
from api.http.idempotency import IdempotencyKey
from api.http.middleware import legacy_status_codes
from api.http.prefer_wait import Prefer
from api.http.response import JsonResponse
from api.openapi.responses import json_responses
from api.routes import (
    AUTHENTICATED,
    WITH_FILE,
    RequestId,
    address,
    caller,
    idempotent_request,
    new_router,
    seconds_left,
    with_request_id,
)
from api.schemas.steps import (
    ClipRequest,
    GeneratedClip,
    GeneratedImage,
    GeneratedImages,
    GeneratedStory,
    GeneratedVideo,
    ImageRequest,
    ImagesRequest,
    MergeRequest,
    MergeResult,
    PendingRun,
    StepRequest,
    StepResult,
    StoryRequest,
    VideoRequest,
)
from common.domain.caller import Caller

RunId = Annotated[str, Path(pattern=r"^run_[0-9A-Z]{26}$", description="Id of a run.")]
_WAITS = (
    "Waits up to 25 seconds for the result, or as long as `Prefer: wait=N` requests, and returns "
    "202 if it takes longer."
)
_ERRORS = (400, 402, 404, 409, 413, 415, 429, 502, 503)
# In this order, so that the authentication also responds to an invalid X-User-ID with 400.
_MIDDLEWARES = [legacy_status_codes, *AUTHENTICATED]
_WITH_IMAGE = [*_MIDDLEWARES, WITH_FILE]

router = new_router()


def _run_responses(result: Any, errors: tuple[int, ...] = _ERRORS) -> dict[int, Any]:
    """Return the responses of a route that waits for a run: its result, or a pending run."""
    pending = json_responses(
        202,
        PendingRun,
        *errors,
        description="The run is in progress. Poll `statusUrl` for the result.",
        authenticated=True,
    )
    return {**json_responses(200, result), **pending}


@router.post(
    "/api/generate_story",
    operation_id="generateStory",
    tags=["Steps"],
    summary="Generate a story",
    description=_WAITS,
    responses=_run_responses(GeneratedStory),
    middlewares=_MIDDLEWARES,
)
def generate_story(
    body: StoryRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with the story."""
    return _start_run(steps().story, body, key, prefer, request_id, retries_by_proxy=True)


@router.post(
    "/api/generate_single_image",
    operation_id="generateSingleImage",
    tags=["Steps"],
    summary="Generate the image of a scene",
    description=_WAITS,
    responses=_run_responses(GeneratedImage),
    middlewares=_WITH_IMAGE,
)
def generate_single_image(
    body: ImageRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with links to the image."""
    return _start_run(steps().image, body, key, prefer, request_id)


@router.post(
    "/api/generate_single_video_clip",
    operation_id="generateSingleVideoClip",
    tags=["Steps"],
    summary="Generate the clip of a scene",
    description=_WAITS,
    responses=_run_responses(GeneratedClip),
    middlewares=_WITH_IMAGE,
)
def generate_single_video_clip(
    body: ClipRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with links to the clip."""
    return _start_run(steps().clip, body, key, prefer, request_id)


@router.post(
    "/api/merge_video_clips",
    operation_id="mergeVideoClips",
    tags=["Steps"],
    summary="Merge the clips of a video",
    description=_WAITS,
    responses=_run_responses(MergeResult),
    middlewares=_MIDDLEWARES,
)
def merge_video_clips(
    body: MergeRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with links to the video."""
    return _start_run(steps().merge, body, key, prefer, request_id)


@router.post(
    "/api/public/generate-images",
    operation_id="generateImages",
    tags=["Steps"],
    summary="Generate several images from a prompt",
    description=_WAITS,
    responses=_run_responses(GeneratedImages),
    middlewares=_WITH_IMAGE,
)
def generate_images(
    body: ImagesRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with links to the images."""
    return _start_run(steps().images, body, key, prefer, request_id)


@router.post(
    "/api/public/generate-video",
    operation_id="generateVideo",
    tags=["Steps"],
    summary="Generate a video from images",
    description=_WAITS,
    responses=_run_responses(GeneratedVideo),
    middlewares=_WITH_IMAGE,
)
def generate_video(
    body: VideoRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """Return 200 with links to the video."""
    return _start_run(steps().video, body, key, prefer, request_id)


@router.get(
    "/api/runs/<run_id>",
    operation_id="getRun",
    tags=["Steps"],
    summary="Retrieve the result of a run",
    description="Returns the same response as the request that started the run. Waits only if "
    "`Prefer: wait=N` is sent.",
    responses=_run_responses(StepResult, (400, 402, 404, 409, 429, 502, 503)),
    middlewares=_MIDDLEWARES,
)
def get_run(run_id: RunId, prefer: Prefer = None) -> Response[str]:
    """Return 200 with the result, or 202 while the run is in progress."""
    return _run_response(caller(router), run_id, prefer_wait.requested_seconds(prefer) or 0)


def _start_run(
    start: Any,
    body: StepRequest,
    key: str | None,
    prefer: str | None,
    request_id: str | None,
    *,
    retries_by_proxy: bool = False,
) -> Response[str]:
    """Start a run, or find the one that the idempotency key started, and wait for its end.

    With `retries_by_proxy`, an identical request with the same X-Request-ID counts as a retry: the
    step can succeed only once, so a second run is never intended.
    """
    body, owner = with_request_id(body, request_id), caller(router).acting_as(body.userId, "userId")
    proxy_id = request_id if retries_by_proxy else None
    idempotency = idempotent_request(router, key, owner, proxy_id)
    accepted: JsonResponse = idempotency.cached_response(database()) or start(
        owner, body, idempotency
    )
    run_id = PendingRun.model_validate_json(accepted.body).runId
    seconds = prefer_wait.requested_seconds(prefer)
    seconds = prefer_wait.MOST_SECONDS if seconds is None else seconds
    response = _run_response(owner, run_id, seconds)
    for name, value in accepted.headers.items():
        if name not in ("Location", "Retry-After"):  # a pending run sets its own
            response.headers.setdefault(name, value)
    return response


def _run_response(owner: Caller, run_id: str, seconds: int) -> Response[str]:
    prefer_wait.until_run_ended(database(), run_id, min(seconds, seconds_left(router)))
    return step_results().of(owner, run_id, address(router)).response()
