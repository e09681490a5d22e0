"""The Lambda function of the REST API: routes in `api.routes`, errors in `api.http.errors`."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from api.dependencies import address, settings
from api.http import cors, errors, middleware, validation
from api.openapi import document
from api.routes import files, keys, links, media, models, service, steps, uploads, usage, videos
from common.aws.log import logger
from common.aws.tracing import metrics, tracer
from common.schemas.base import read_json

_ROUTES = (videos, steps, media, uploads, files, links, models, keys, usage, service)


def application() -> APIGatewayRestResolver:
    """Return an application with all documented routes."""
    app = APIGatewayRestResolver(
        enable_validation=True, json_body_deserializer=read_json, strip_prefixes=[]
    )
    app.use(
        middlewares=[
            middleware.with_headers,
            middleware.absolute_location(address),
            middleware.exact_path,
        ]
    )
    validation.install(app)
    errors.register(app)
    for routes in _ROUTES:
        app.include_router(routes.router)
    return app


app = application()
document.drop_response_descriptions(app)


@cache
def documented_application() -> APIGatewayRestResolver:
    """Return a second application that keeps its response descriptions, for the document."""
    documented = application()
    for routes in _ROUTES:  # Powertools points a router at the application that includes it last
        routes.router.context, routes.router.api_resolver = app.context, app
    return documented


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[str]:
    """Return the OpenAPI document of this API."""
    body = document.served(documented_application(), address(app.current_event))
    return Response(status_code=200, content_type=middleware.JSON, body=body)


@app.get("/docs", include_in_schema=False)
def docs() -> Response[str]:
    """Return the API reference as an HTML page."""
    # Imported late: the page is large, and few requests ask for it.
    from api.openapi import reference

    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=reference.page(),
        headers={"Content-Security-Policy": reference.policy()},
    )


@metrics.log_metrics
@logger.inject_lambda_context(
    correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True
)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request from API Gateway."""
    origin = cors.origin_of(event)
    if event.get("httpMethod") == "OPTIONS":
        return cors.preflight(settings().origins, origin)
    if origin is not None:
        app.context["cors"] = cors.headers(settings().origins, origin)
    return app.resolve(event, context)
