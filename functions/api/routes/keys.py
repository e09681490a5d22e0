"""Routes of API keys, for the operator."""

from aws_lambda_powertools.event_handler import Response

from api import admin
from api.document import answers
from api.middleware import JSON
from api.resources import database
from api.routes import ADMITTED, caller, group
from api.schemas.keys import CreateKey, KeyCreated

router = group()


@router.post(
    "/api/admin/api-keys",
    summary="Mint an API key",
    description="For the operator. The key is shown this once.",
    responses=answers(201, KeyCreated, 400, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=ADMITTED,
)
def create_key(wish: CreateKey) -> Response[KeyCreated]:
    """201 with the key."""
    key = admin.create_key(database(), caller(router), wish)
    return Response(status_code=201, content_type=JSON, body=key)
