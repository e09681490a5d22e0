"""Public routes about the service itself."""

from api.dependencies import database, settings
from api.openapi.responses import json_responses
from api.routes import new_router
from api.schemas.service import Health

router = new_router()


@router.get(
    "/v1/health",
    operation_id="getHealth",
    tags=["Health"],
    summary="Check the health of the service",
    description="Returns 200 if the API and its database respond. Requires no API key.",
    responses=json_responses(200, Health, 503),
    security=[],
)
def health() -> Health:
    """Return 200 if the API and its database respond."""
    with database().transaction() as cursor:
        cursor.execute("SELECT 1")
    return Health(stage=settings().stage)
