"""Routes of API keys; they require the operator's key."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from api.dependencies import database
from api.http.middleware import JSON
from api.openapi.responses import json_responses
from api.routes import AUTHENTICATED, caller, new_router
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

router = new_router()


@router.post(
    "/api/admin/api-keys",
    operation_id="createApiKey",
    tags=["API keys"],
    summary="Create an API key",
    description="Requires the operator's API key. The secret is returned only in this response.",
    responses=json_responses(201, SecretAnswer, 400, 415, 422, 429, 503, authenticated=True),
    status_code=201,
    middlewares=AUTHENTICATED,
)
def create_key(body: CreateKey) -> Response[SecretAnswer]:
    """Return 201 with the key and its secret."""
    key = keys.create_key(database(), caller(router), body)
    return Response(status_code=201, content_type=JSON, body=key)


@router.get(
    "/api/admin/api-keys",
    operation_id="listApiKeys",
    tags=["API keys"],
    summary="List API keys",
    description="Requires the operator's API key. Returns keys newest first, including revoked "
    "ones, without their secrets.",
    responses=json_responses(200, KeyPage, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def list_keys(
    limit: Annotated[
        int, Query(ge=1, le=100, description="Maximum number of keys to return.")
    ] = 20,
    cursor: Annotated[
        str | None, Query(pattern=_ID, description="`nextCursor` of the previous page.")
    ] = None,
    user: Annotated[
        str | None,
        Query(
            alias="userId", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Only keys of this user."
        ),
    ] = None,
) -> KeyPage:
    """Return a page of keys."""
    return keys.list_keys(database(), caller(router), user_id=user, limit=limit, cursor=cursor)


@router.get(
    "/api/admin/api-keys/<key_id>",
    operation_id="getApiKey",
    tags=["API keys"],
    summary="Retrieve an API key",
    description="Requires the operator's API key.",
    responses=json_responses(200, KeyAnswer, 404, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def get_key(key_id: KeyId) -> KeyAnswer:
    """Return the key without its secret."""
    return keys.get_key(database(), caller(router), key_id)


@router.patch(
    "/api/admin/api-keys/<key_id>",
    operation_id="updateApiKey",
    tags=["API keys"],
    summary="Update an API key",
    description="Requires the operator's API key. Changes apply from the next request with the "
    "key. Omitted fields keep their values.",
    responses=json_responses(200, KeyAnswer, 400, 404, 409, 415, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def change_key(key_id: KeyId, body: ChangeKey) -> KeyAnswer:
    """Return the updated key."""
    return keys.change_key(database(), caller(router), key_id, body)


@router.post(
    "/api/admin/api-keys/<key_id>/rotate",
    operation_id="rotateApiKey",
    tags=["API keys"],
    summary="Rotate an API key",
    description="Requires the operator's API key. Returns a new secret, only in this response. The "
    "old secret works until the grace period ends. Rotating again during the grace period replaces "
    "the new secret.",
    responses=json_responses(
        200, SecretAnswer, 400, 404, 409, 415, 422, 429, 503, authenticated=True
    ),
    middlewares=AUTHENTICATED,
)
def rotate_key(key_id: KeyId, body: Annotated[RotateKey | None, Body()] = None) -> SecretAnswer:
    """Return the key with its new secret."""
    return keys.rotate_key(database(), caller(router), key_id, body or RotateKey())


@router.delete(
    "/api/admin/api-keys/<key_id>",
    operation_id="revokeApiKey",
    tags=["API keys"],
    summary="Revoke an API key",
    description="Requires the operator's API key. Permanent, and effective from the next request. "
    "What was created with the key is kept.",
    responses=json_responses(200, KeyAnswer, 404, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def revoke_key(key_id: KeyId) -> KeyAnswer:
    """Return the revoked key; revoking it again has no effect."""
    return keys.revoke_key(database(), caller(router), key_id)
