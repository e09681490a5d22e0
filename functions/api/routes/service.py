"""Routes about the service itself, open to everybody."""

from api.dependencies import database, settings
from api.openapi.responses import answers
from api.routes import group
from api.schemas.service import Health

router = group()


@router.get(
    "/v1/health",
    operation_id="getHealth",
    tags=["Health"],
    summary="Is the service up?",
    responses=answers(200, Health, 503),
    security=[],
)
def health() -> Health:
    """The API answers, and so does its database."""
    with database().transaction() as cursor:
        cursor.execute("SELECT 1")
    return Health(stage=settings().stage)
