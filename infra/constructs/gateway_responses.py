"""Error responses of API Gateway to requests that never reach a function."""

import json
from collections.abc import Sequence

from aws_cdk import aws_apigateway as apigateway

from infra.gateway_responses import ERRORS


def add_to(api: apigateway.RestApi, origins: Sequence[str]) -> None:
    """Add the error responses to the API.

    Gateway responses cannot depend on the request's Origin header. With one allowed origin, its
    pages can read them; with several origins, no page can.
    """
    cors_headers = {}
    if len(origins) == 1:
        cors_headers = {
            "Access-Control-Allow-Origin": origins[0],
            "Access-Control-Expose-Headers": "Retry-After, X-Trace-Id",
        }
    for error in ERRORS:
        headers = {**error.headers, **cors_headers}
        api.add_gateway_response(
            "".join(part.capitalize() for part in error.response_type.split("_")),
            type=apigateway.ResponseType.of(error.response_type),
            status_code=str(error.status),
            response_headers={
                **{name: f"'{value}'" for name, value in headers.items()},
                "X-Trace-Id": "context.xrayTraceId",
            },
            templates={"application/json": json.dumps(error.body)},
        )
