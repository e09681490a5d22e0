"""The REST API: explicit routes, one authorizer, one function behind all of them."""

import json
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import Stage
from infra.constructs import gateway_responses
from infra.constructs.logs import retention
from infra.constructs.nag import acknowledge

STAGE_NAME = "live"


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    public: bool = False


ROUTES = (
    Route("GET", "/openapi.json", public=True),
    Route("GET", "/docs", public=True),
    Route("GET", "/v1/health", public=True),
    Route("POST", "/v1/videos"),
    Route("GET", "/v1/videos"),
    Route("GET", "/v1/videos/{id}"),
    Route("DELETE", "/v1/videos/{id}"),
    Route("GET", "/v1/videos/{id}/download"),
    Route("GET", "/v1/videos/{id}/events"),
    Route("POST", "/v1/videos/{id}/resume"),
    Route("POST", "/v1/videos/{id}/cancel"),
    Route("GET", "/v1/media"),
    Route("GET", "/v1/media/{id}"),
    Route("DELETE", "/v1/media/{id}"),
    Route("DELETE", "/v1/media/links"),
    Route("POST", "/v1/uploads"),
    Route("POST", "/v1/uploads/{id}/complete"),
    Route("POST", "/v1/uploads/{id}/abort"),
    *(
        Route(method, f"/api/proxy_s3_{kind}/{{userId}}/{{requestId}}/{{folder}}/{{name}}", True)
        for kind in ("image", "video")
        for method in ("GET", "HEAD")
    ),
    Route("GET", "/api/get_presigned_url"),
    Route("POST", "/api/convert_s3_image_to_base64"),
    Route("POST", "/api/upload_image"),
    Route("POST", "/api/upload_video"),
    Route("POST", "/api/public/upload-image"),
    Route("POST", "/api/generate_story"),
    Route("POST", "/api/generate_single_image"),
    Route("POST", "/api/generate_single_video_clip"),
    Route("POST", "/api/merge_video_clips"),
    Route("POST", "/api/public/generate-images"),
    Route("POST", "/api/public/generate-video"),
    Route("GET", "/api/runs/{id}"),
    Route("POST", "/v1/estimates"),
    Route("GET", "/v1/models"),
    Route("GET", "/v1/usage"),
    Route("POST", "/api/admin/api-keys"),
    Route("GET", "/api/admin/api-keys"),
    Route("GET", "/api/admin/api-keys/{id}"),
    Route("PATCH", "/api/admin/api-keys/{id}"),
    Route("DELETE", "/api/admin/api-keys/{id}"),
    Route("POST", "/api/admin/api-keys/{id}/rotate"),
)

# Shares of the stage's rate and burst that a method takes which asks for no key. All rates together
# leave a fifth to those with a key. Pages load many pictures at once, so links have a large burst.
KEYLESS = {
    ("GET", "/openapi.json"): (0.02, 0.1),
    ("GET", "/docs"): (0.02, 0.1),
    ("GET", "/v1/health"): (0.02, 0.1),
    ("GET", "/api/get_presigned_url"): (0.05, 0.2),
    ("POST", "/api/convert_s3_image_to_base64"): (0.02, 0.1),
    **{
        (route.method, route.path): (0.1, 0.5) if route.method == "GET" else (0.03, 0.2)
        for route in ROUTES
        if "/proxy_s3_" in route.path
    },
    **{("OPTIONS", path): (0.01, 0.1) for path in {route.path for route in ROUTES}},
}

# No header, no query, no body: none of them can carry a key or a prompt into the log.
_ACCESS_LOG = {
    "time": "$context.requestTimeEpoch",
    "request_id": "$context.requestId",
    "extended_request_id": "$context.extendedRequestId",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "response_bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "key_id": "$context.authorizer.principalId",
    "authorizer_error": "$context.authorizer.error",
    "error": "$context.error.responseType",
    "ip": "$context.identity.sourceIp",
    "trace": "$context.xrayTraceId",
}


def _throttling(stage: Stage) -> dict[str, apigateway.MethodDeploymentOptions]:
    """Return the limits of methods that need no key, by path and method."""
    return {
        f"{path}/{method}": apigateway.MethodDeploymentOptions(
            throttling_rate_limit=round(stage.requests_per_second * rate, 2),
            throttling_burst_limit=max(4, int(stage.request_burst * burst)),
        )
        for (method, path), (rate, burst) in sorted(KEYLESS.items())
    }


class Api(Construct):
    """API Gateway in front of the functions `authorizer` and `api`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        authorizer: lambda_.IFunction,
        handler: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.access_log = logs.LogGroup(
            self,
            "AccessLog",
            retention=retention(stage.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=stage.stack_name,
            description="Prompts in, videos out; see /openapi.json",
            binary_media_types=["multipart/form-data"],  # files in a form, which are no text
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # API Gateway writes logs with one role per account and region. It outlives the stack:
            # taking it away would silence the account's other APIs.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE_NAME,
                access_log_destination=apigateway.LogGroupLogDestination(self.access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
                throttling_rate_limit=stage.requests_per_second,
                throttling_burst_limit=stage.request_burst,
                method_options=_throttling(stage),
                tracing_enabled=True,
            ),
        )
        self.rest_api.node.try_remove_child("Endpoint")  # an output under another name
        self._require_modern_tls()
        gateway_responses.add_to(self.rest_api, stage.cors_origins)
        self._add_routes(authorizer, handler)
        self._acknowledge()

    def _require_modern_tls(self) -> None:
        resource = self.rest_api.node.default_child
        assert isinstance(resource, apigateway.CfnRestApi)
        resource.security_policy = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"
        resource.endpoint_access_mode = "BASIC"

    def _add_routes(self, authorizer: lambda_.IFunction, handler: lambda_.IFunction) -> None:
        # Either of two headers may carry the key, so none of them can be the identity source that
        # a cache needs; and without a cache a revoked key is dead with the next request.
        keys = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=authorizer,
            identity_sources=[],
            results_cache_ttl=Duration.seconds(0),
        )
        resource = keys.node.default_child
        assert isinstance(resource, apigateway.CfnAuthorizer)
        resource.add_property_deletion_override("IdentitySource")  # the CDK writes an empty text
        integration = apigateway.LambdaIntegration(
            handler,
            # One permission for the whole API: a function's policy holds 20 KB, not one a method.
            scope_permission_to_method=False,
        )
        for route in ROUTES:
            resource = self.rest_api.root.resource_for_path(route.path)
            method = resource.add_method(
                route.method,
                integration,
                authorization_type=(
                    apigateway.AuthorizationType.NONE
                    if route.public
                    else apigateway.AuthorizationType.CUSTOM
                ),
                authorizer=None if route.public else keys,
            )
            if route.public:
                acknowledge(method, "APIG4", "Open to everybody; it tells nothing of anybody.")
            acknowledge(
                method, "COG4", "Users are programs with API keys, checked by the authorizer."
            )
        for path in sorted({route.path for route in ROUTES}):
            preflight = self.rest_api.root.resource_for_path(path).add_method(
                "OPTIONS", integration, authorization_type=apigateway.AuthorizationType.NONE
            )
            acknowledge(preflight, "APIG4", "Browsers ask before a page may call, and send no key.")

    def _acknowledge(self) -> None:
        acknowledge(
            self.rest_api,
            "APIG2",
            "The function validates: its problem+json names the field and the allowed values.",
        )
        stage = self.rest_api.deployment_stage
        acknowledge(
            stage,
            "APIG3",
            "Keys, per-key limits and throttling guard the API; a web ACL costs 5 USD a month "
            "idle, and is the deployer's to attach.",
        )
        acknowledge(
            stage,
            "APIG6",
            "Execution logs repeat headers, and with them API keys, in a log group without end. "
            "The access log, traces and the function's own log tell what happened.",
        )
        acknowledge(
            self.rest_api.node.find_child("CloudWatchRole"),
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]",
            "API Gateway checks the account's logging role against exactly this policy.",
        )
