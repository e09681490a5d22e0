"""The REST API: routes. What they do is in the modules beside; what a refusal looks like too."""

from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from api import admin, catalogue, document, errors, middleware
from api.caller import Caller
from api.document import answers
from api.middleware import JSON, admitted, with_headers
from api.schemas import (
    CreateKey,
    CreateVideo,
    Download,
    Estimate,
    Health,
    KeyCreated,
    ModelList,
    VideoObject,
    VideoPage,
)
from api.videos import Videos
from common.database import Database
from common.log import logger
from common.observability import metrics, tracer
from common.settings import ApiSettings, load
from common.storage.s3 import S3MediaStore

_POLL_SECONDS = 2
VideoId = Annotated[str, Path(pattern=r"^vid_[0-9A-Z]{26}$", description="Id of a video.")]


@cache
def settings() -> ApiSettings:
    """The function's settings, checked once."""
    return load(ApiSettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def videos() -> Videos:
    """The use cases of videos."""
    return Videos(settings(), database(), S3MediaStore(settings().media_bucket))


app = APIGatewayRestResolver(
    enable_validation=True, json_body_deserializer=middleware.read_json, strip_prefixes=[]
)
app.use(middlewares=[with_headers])
errors.register(app)
_admitted = [admitted(database)]


def _caller() -> Caller:
    caller: Caller = app.context["caller"]
    return caller


def _accepted(video: VideoObject) -> Response[VideoObject]:
    return Response(
        status_code=202,
        content_type=JSON,
        body=video,
        headers={"Location": video.links.self, "Retry-After": str(_POLL_SECONDS)},
    )


@app.post(
    "/v1/videos",
    summary="Make a video",
    description="Accepts the wish and starts a run. Poll the answer's `links.self`.",
    responses=answers(202, VideoObject, 400, 402, 413, 415, 422, 429, 503, authenticated=True),
    status_code=202,
    middlewares=_admitted,
)
def create_video(wish: CreateVideo) -> Response[VideoObject]:
    """202 with the video, its address, and when to look again."""
    return _accepted(videos().create(_caller(), wish))


@app.get(
    "/v1/videos",
    summary="List videos",
    description="The caller's videos, newest first.",
    responses=answers(200, VideoPage, 422, 429, 503, authenticated=True),
    middlewares=_admitted,
)
def list_videos(
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 20,
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before.")
    ] = None,
) -> VideoPage:
    """One page."""
    return videos().page(_caller(), limit, cursor)


@app.get(
    "/v1/videos/<video_id>",
    summary="Show a video",
    responses=answers(200, VideoObject, 404, 422, 429, 503, authenticated=True),
    middlewares=_admitted,
)
def get_video(video_id: VideoId) -> Response[VideoObject]:
    """The video; while it is made, with a hint when to look again."""
    video = videos().get(_caller(), video_id)
    headers = {} if video.completed_at else {"Retry-After": str(_POLL_SECONDS)}
    return Response(status_code=200, content_type=JSON, body=video, headers=dict(headers))


@app.get(
    "/v1/videos/<video_id>/download",
    summary="Get a fresh download link",
    responses=answers(200, Download, 404, 409, 422, 429, 503, authenticated=True),
    middlewares=_admitted,
)
def download_video(video_id: VideoId) -> Download:
    """A link that works for an hour."""
    return videos().download(_caller(), video_id)


@app.post(
    "/v1/videos/<video_id>/resume",
    summary="Resume a failed video",
    description="Starts a new run over what is finished; only what is missing is paid for.",
    responses=answers(202, VideoObject, 402, 404, 409, 422, 429, 503, authenticated=True),
    status_code=202,
    middlewares=_admitted,
)
def resume_video(video_id: VideoId) -> Response[VideoObject]:
    """202 with the video."""
    return _accepted(videos().resume(_caller(), video_id))


@app.post(
    "/v1/estimates",
    summary="Estimate what a video would cost",
    description="Takes the body of `POST /v1/videos`. Nothing is stored or started.",
    responses=answers(200, Estimate, 400, 413, 415, 422, 429, 503, authenticated=True),
    middlewares=_admitted,
)
def estimate_video(wish: CreateVideo) -> Estimate:
    """US dollars by step and scene."""
    return videos().estimate(_caller(), wish)


@app.get(
    "/v1/models",
    summary="List models",
    description="Every provider and model: what it takes, what it costs, whether it can be used.",
    responses=answers(200, ModelList, 429, 503, authenticated=True),
    middlewares=_admitted,
)
def list_models() -> ModelList:
    """All models."""
    return catalogue.listing(settings(), videos().provider_keys())


@app.post(
    "/api/admin/api-keys",
    summary="Mint an API key",
    description="For the operator. The key is shown this once.",
    responses=answers(201, KeyCreated, 400, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=_admitted,
)
def create_key(wish: CreateKey) -> Response[KeyCreated]:
    """201 with the key."""
    key = admin.create_key(database(), _caller(), wish)
    return Response(status_code=201, content_type=JSON, body=key)


@app.get(
    "/v1/health",
    summary="Is the service up?",
    responses=answers(200, Health, 503),
    security=[],
)
def health() -> Health:
    """The API answers, and so does its database."""
    with database().transaction() as cursor:
        cursor.execute("SELECT 1")
    return Health(stage=settings().stage)


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[str]:
    """The OpenAPI document of this API."""
    return Response(status_code=200, content_type=JSON, body=document.text(app))


@metrics.log_metrics
@logger.inject_lambda_context(
    correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True
)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
