"""Routes of API keys, for the operator."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from api.dependencies import database
from api.http.middleware import JSON
from api.openapi.responses import answers
from api.routes import ADMITTED, caller, group
from api.schemas.keys import (
    ChangeKey,
    CreateKey,
    KeyAnswer,
    KeyPage,
    RotateKey,
    SecretAnswer,
)
from api.services import keys

_ID = r"^key_[0-9A-Z]{26}$"
KeyId = Annotated[str, Path(pattern=_ID, description="Id of an API key.")]

router = group()


@router.post(
    "/api/admin/api-keys",
    operation_id="createApiKey",
    tags=["API keys"],
    summary="Mint an API key",
    description="For the operator. The key is shown this once.",
    responses=answers(201, SecretAnswer, 400, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=ADMITTED,
)
def create_key(wish: CreateKey) -> Response[SecretAnswer]:
    """201 with the key."""
    key = keys.create_key(database(), caller(router), wish)
    return Response(status_code=201, content_type=JSON, body=key)


@router.get(
    "/api/admin/api-keys",
    operation_id="listApiKeys",
    tags=["API keys"],
    summary="List API keys",
    description="For the operator. Newest first, revoked ones too; without their secrets.",
    responses=answers(200, KeyPage, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def list_keys(
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 20,
    cursor: Annotated[
        str | None, Query(pattern=_ID, description="`nextCursor` of the page before.")
    ] = None,
    user: Annotated[
        str | None,
        Query(alias="userId", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Of this owner only."),
    ] = None,
) -> KeyPage:
    """One page."""
    return keys.list_keys(database(), caller(router), user_id=user, limit=limit, cursor=cursor)


@router.get(
    "/api/admin/api-keys/<key_id>",
    operation_id="getApiKey",
    tags=["API keys"],
    summary="Show an API key",
    description="For the operator.",
    responses=answers(200, KeyAnswer, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def get_key(key_id: KeyId) -> KeyAnswer:
    """The key without its secret."""
    return keys.get_key(database(), caller(router), key_id)


@router.patch(
    "/api/admin/api-keys/<key_id>",
    operation_id="updateApiKey",
    tags=["API keys"],
    summary="Change an API key",
    description="For the operator. Holds from the next request with the key on.",
    responses=answers(200, KeyAnswer, 400, 404, 409, 415, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def change_key(key_id: KeyId, wish: ChangeKey) -> KeyAnswer:
    """The key as it is now."""
    return keys.change_key(database(), caller(router), key_id, wish)


@router.post(
    "/api/admin/api-keys/<key_id>/rotate",
    operation_id="rotateApiKey",
    tags=["API keys"],
    summary="Rotate an API key",
    description="For the operator. Gives the key a new secret, shown this once; the old one works "
    "for the grace period. Rotating again before that has ended replaces the newer secret.",
    responses=answers(200, SecretAnswer, 400, 404, 409, 415, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def rotate_key(key_id: KeyId, wish: Annotated[RotateKey | None, Body()] = None) -> SecretAnswer:
    """The key with its new secret."""
    return keys.rotate_key(database(), caller(router), key_id, wish or RotateKey())


@router.delete(
    "/api/admin/api-keys/<key_id>",
    operation_id="revokeApiKey",
    tags=["API keys"],
    summary="Revoke an API key",
    description="For the operator. For good, from the next request on; what the key made stays.",
    responses=answers(200, KeyAnswer, 404, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def revoke_key(key_id: KeyId) -> KeyAnswer:
    """The revoked key; the same again."""
    return keys.revoke_key(database(), caller(router), key_id)
