"""Routes of models and cost estimates."""

from api.dependencies import admission, settings, videos
from api.openapi.responses import json_responses
from api.routes import AUTHENTICATED, WITH_FILE, caller, new_router
from api.schemas.models import Estimate, ModelList
from api.services import models
from common.schemas.requests import CreateVideoRequest

router = new_router()


@router.post(
    "/v1/estimates",
    operation_id="createEstimate",
    tags=["Models"],
    summary="Estimate the cost of a video",
    description="Accepts the body of `POST /v1/videos`. Nothing is stored or started.",
    responses=json_responses(200, Estimate, 400, 413, 415, 422, 429, 503, authenticated=True),
    middlewares=[*AUTHENTICATED, WITH_FILE],
)
def estimate_video(body: CreateVideoRequest) -> Estimate:
    """Return the estimate by step and scene."""
    return videos().estimate(caller(router).acting_as(body.user_id, "user_id"), body)


@router.get(
    "/v1/models",
    operation_id="listModels",
    tags=["Models"],
    summary="List models",
    description="Returns all models of all providers, with their limits, prices and availability.",
    responses=json_responses(200, ModelList, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def list_models() -> ModelList:
    """Return all models."""
    return models.listing(settings(), admission().provider_keys())
