"""Routes that make one part of a video, with the fields of the first version of the API.

Each starts a run and waits for it; what takes longer is answered with 202 and where to look.
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
from api.openapi.responses import answers
from api.routes import (
    ADMITTED,
    WITH_FILE,
    RequestId,
    address,
    caller,
    group,
    named,
    once,
    seconds_left,
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
    Made,
    MergeRequest,
    MergeResult,
    PendingRun,
    StepRequest,
    StoryRequest,
    VideoRequest,
)
from common.domain.caller import Caller

RunId = Annotated[str, Path(pattern=r"^run_[0-9A-Z]{26}$", description="Id of a run.")]
_WAITS = "Waits for it, up to 25 seconds or as `Prefer: wait=N` says; after that the answer is 202."
_REFUSALS = (400, 402, 404, 409, 413, 415, 429, 502, 503)
# The order matters: a name in X-User-ID is judged by the second.
_MIDDLEWARES = [legacy_status_codes, *ADMITTED]
_WITH_PICTURE = [*_MIDDLEWARES, WITH_FILE]

router = group()


def _started(made: Any, refusals: tuple[int, ...] = _REFUSALS) -> dict[int, Any]:
    """Describe the answers of a route that starts a run and waits for it."""
    pending = answers(202, PendingRun, *refusals, authenticated=True)
    pending[202]["description"] = "It is being made; `statusUrl` has the answer when it is."
    return {**answers(200, made), **pending}


@router.post(
    "/api/generate_story",
    operation_id="generateStory",
    tags=["Steps"],
    summary="Write a story",
    description=_WAITS,
    responses=_started(GeneratedStory),
    middlewares=_MIDDLEWARES,
)
def generate_story(
    wish: StoryRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with the story."""
    return _make(steps().story, wish, key, prefer, request_id, repeats=True)


@router.post(
    "/api/generate_single_image",
    operation_id="generateSingleImage",
    tags=["Steps"],
    summary="Paint the picture of a scene",
    description=_WAITS,
    responses=_started(GeneratedImage),
    middlewares=_WITH_PICTURE,
)
def generate_single_image(
    wish: ImageRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with links to the picture."""
    return _make(steps().image, wish, key, prefer, request_id)


@router.post(
    "/api/generate_single_video_clip",
    operation_id="generateSingleVideoClip",
    tags=["Steps"],
    summary="Make the clip of a scene",
    description=_WAITS,
    responses=_started(GeneratedClip),
    middlewares=_WITH_PICTURE,
)
def generate_single_video_clip(
    wish: ClipRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with links to the clip."""
    return _make(steps().clip, wish, key, prefer, request_id)


@router.post(
    "/api/merge_video_clips",
    operation_id="mergeVideoClips",
    tags=["Steps"],
    summary="Join the clips of a video",
    description=_WAITS,
    responses=_started(MergeResult),
    middlewares=_MIDDLEWARES,
)
def merge_video_clips(
    wish: MergeRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with links to the video."""
    return _make(steps().merge, wish, key, prefer, request_id)


@router.post(
    "/api/public/generate-images",
    operation_id="generateImages",
    tags=["Steps"],
    summary="Paint several pictures of a prompt",
    description=_WAITS,
    responses=_started(GeneratedImages),
    middlewares=_WITH_PICTURE,
)
def generate_images(
    wish: ImagesRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with links to the pictures."""
    return _make(steps().images, wish, key, prefer, request_id)


@router.post(
    "/api/public/generate-video",
    operation_id="generateVideo",
    tags=["Steps"],
    summary="Make a video of pictures",
    description=_WAITS,
    responses=_started(GeneratedVideo),
    middlewares=_WITH_PICTURE,
)
def generate_video(
    wish: VideoRequest,
    key: IdempotencyKey = None,
    prefer: Prefer = None,
    request_id: RequestId = None,
) -> Response[str]:
    """200 with links to the video."""
    return _make(steps().video, wish, key, prefer, request_id)


@router.get(
    "/api/runs/<run_id>",
    operation_id="getRun",
    tags=["Steps"],
    summary="Ask after a part that is being made",
    description="Answers as the request that started it would have, had it waited.",
    responses=_started(Made, (400, 402, 404, 409, 429, 502, 503)),
    middlewares=_MIDDLEWARES,
)
def get_run(run_id: RunId, prefer: Prefer = None) -> Response[str]:
    """200 with what was made, 202 while it is being made."""
    return _outcome(caller(router), run_id, prefer_wait.asked(prefer) or 0)


def _make(
    start: Any,
    wish: StepRequest,
    key: str | None,
    prefer: str | None,
    request_id: str | None,
    *,
    repeats: bool = False,
) -> Response[str]:
    """Start a run, or find the one that the idempotency key started, and wait for it.

    `repeats`: the same again is never meant; it was sent twice by a proxy.
    """
    wish, who = named(wish, request_id), caller(router).acting_as(wish.userId, "userId")
    request = once(router, key, who, request_id if repeats else None)
    answer: JsonResponse = request.cached_response(database()) or start(who, wish, request)
    run_id = PendingRun.model_validate_json(answer.body).runId
    seconds = prefer_wait.asked(prefer)
    response = _outcome(who, run_id, prefer_wait.MOST_SECONDS if seconds is None else seconds)
    for name, value in answer.headers.items():
        if name not in ("Location", "Retry-After"):  # of the outcome, if it is not there yet
            response.headers.setdefault(name, value)
    return response


def _outcome(who: Caller, run_id: str, seconds: int) -> Response[str]:
    prefer_wait.until_run_ended(database(), run_id, min(seconds, seconds_left(router)))
    return step_results().of(who, run_id, address(router)).response()
