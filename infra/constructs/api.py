"""The REST API: explicit routes, one authorizer and one function for all of them."""

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
    """A method of a path; public routes need no API key."""

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

# Shares of the stage's rate and burst limits that methods without an API key may use. Their rates
# add up to four fifths, which leaves a fifth to authorized requests. Signed links have a large
# burst because pages load many images at once.
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

# Without headers, query and body, so that no API key or prompt is logged.
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
    """Return the rate limits of methods that need no API key, by path and method."""
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
            binary_media_types=["multipart/form-data"],  # forms with files
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # API Gateway writes logs with one role per account and region. The role outlives the
            # stack, because deleting it would stop the logs of the account's other APIs.
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
        self.rest_api.node.try_remove_child("Endpoint")  # replaced by the output ApiUrl
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
        # A cache needs an identity source, but the key may be in either of two headers. Without a
        # cache, revoking a key takes effect with the next request.
        request_authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=authorizer,
            identity_sources=[],
            results_cache_ttl=Duration.seconds(0),
        )
        resource = request_authorizer.node.default_child
        assert isinstance(resource, apigateway.CfnAuthorizer)
        resource.add_property_deletion_override("IdentitySource")  # the CDK renders an empty string
        integration = apigateway.LambdaIntegration(
            handler,
            # One permission for the whole API: permissions for each method would exceed the 20 KB
            # limit of a function's policy.
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
                authorizer=None if route.public else request_authorizer,
            )
            if route.public:
                acknowledge(
                    method, "APIG4", "Public by design; the response contains no user data."
                )
            acknowledge(
                method, "COG4", "Clients are programs with API keys, which the authorizer checks."
            )
        for path in sorted({route.path for route in ROUTES}):
            preflight = self.rest_api.root.resource_for_path(path).add_method(
                "OPTIONS", integration, authorization_type=apigateway.AuthorizationType.NONE
            )
            acknowledge(
                preflight, "APIG4", "Browsers send CORS preflight requests without credentials."
            )

    def _acknowledge(self) -> None:
        acknowledge(
            self.rest_api,
            "APIG2",
            "The function validates requests; its problem+json names the field and allowed values.",
        )
        stage = self.rest_api.deployment_stage
        acknowledge(
            stage,
            "APIG3",
            "API keys, rate limits per key and throttling protect the API. A web ACL costs 5 USD a "
            "month when idle, so attaching one is left to the deployer.",
        )
        acknowledge(
            stage,
            "APIG6",
            "Execution logs contain headers, and so API keys, in a log group without retention. "
            "The access log, traces and the function's log cover the same events.",
        )
        acknowledge(
            self.rest_api.node.find_child("CloudWatchRole"),
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]",
            "API Gateway requires exactly this policy on the account's logging role.",
        )
