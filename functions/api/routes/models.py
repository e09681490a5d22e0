"""Routes of models and what they cost."""

from api.dependencies import admission, settings, videos
from api.openapi.responses import answers
from api.routes import ADMITTED, WITH_FILE, caller, group
from api.schemas.models import Estimate, ModelList
from api.services import models
from common.schemas.requests import CreateVideoRequest

router = group()


@router.post(
    "/v1/estimates",
    operation_id="createEstimate",
    tags=["Models"],
    summary="Estimate what a video would cost",
    description="Takes the body of `POST /v1/videos`. Nothing is stored or started.",
    responses=answers(200, Estimate, 400, 413, 415, 422, 429, 503, authenticated=True),
    middlewares=[*ADMITTED, WITH_FILE],
)
def estimate_video(wish: CreateVideoRequest) -> Estimate:
    """US dollars by step and scene."""
    return videos().estimate(caller(router).acting_as(wish.userId, "userId"), wish)


@router.get(
    "/v1/models",
    operation_id="listModels",
    tags=["Models"],
    summary="List models",
    description="Every provider and model: what it takes, what it costs, whether it can be used.",
    responses=answers(200, ModelList, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_models() -> ModelList:
    """All models."""
    return models.listing(settings(), admission().provider_keys())
