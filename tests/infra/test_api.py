"""The API Gateway of the template compared with the routes and errors of the API function."""

import json
import re
from collections.abc import Mapping

from api.handler import app
from api.http.middleware import SECURITY_HEADERS
from api.http.problems import MEDIA_TYPE, Problem
from common.domain import errors
from common.domain.signed_links import SIGNED_LINK_ENDPOINTS
from infra import config
from tests.infra.template import Template

# API Gateway puts header values in single quotes, which this value contains.
HEADERS = {k: v for k, v in SECURITY_HEADERS.items() if k != "Content-Security-Policy"}

# Statuses of API Gateway's own error responses, by response type.
STATUSES = {
    "UNAUTHORIZED": "401",
    "ACCESS_DENIED": "403",
    "MISSING_AUTHENTICATION_TOKEN": "404",
    "INVALID_SIGNATURE": "404",
    "RESOURCE_NOT_FOUND": "404",
    "REQUEST_TOO_LARGE": "413",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "THROTTLED": "429",
    "QUOTA_EXCEEDED": "429",
    "AUTHORIZER_FAILURE": "503",
    "AUTHORIZER_CONFIGURATION_ERROR": "503",
    "INTEGRATION_FAILURE": "503",
    "WAF_FILTERED": "403",
    "INTEGRATION_TIMEOUT": "504",
    "DEFAULT_4XX": "400",
    "DEFAULT_5XX": "500",
}


def served_routes() -> dict[tuple[str, str], bool]:
    """Return whether each route requires a key, by method and path."""
    routes = [*app._static_routes, *app._dynamic_routes]  # the router exposes no public list
    return {
        (route.method, re.sub(r"<\w+>", "{}", route.path)): bool(route.middlewares)
        for route in routes
    }


def test_api_routes_match_function_routes(template: Template) -> None:
    deployed = {
        (method, re.sub(r"{\w+}", "{}", path)): properties["AuthorizationType"] == "CUSTOM"
        for (method, path), properties in template.routes.items()
        if method != "OPTIONS"
    }
    assert deployed == served_routes()


def test_cors_preflight_requires_no_key_on_every_path(template: Template) -> None:
    paths = {path for _, path in template.routes}
    for path in paths:
        assert template.routes["OPTIONS", path]["AuthorizationType"] == "NONE"


def test_gateway_errors_allow_single_cors_origin(
    templates: Mapping[str, Template],
) -> None:
    name = "gatewayresponse.header.Access-Control-Allow-Origin"
    for stage, template in templates.items():
        origins = config.STAGES[stage].cors_origins
        for response in template.of_type("AWS::ApiGateway::GatewayResponse").values():
            expected = f"'{origins[0]}'" if len(origins) == 1 else None
            assert response["ResponseParameters"].get(name) == expected


def test_every_route_invokes_api_function(template: Template) -> None:
    for method in template.routes.values():
        assert method["Integration"]["Type"] == "AWS_PROXY"
        (function,) = re.findall(r'"(ApiFunction\w+)"', json.dumps(method["Integration"]["Uri"]))
        assert template.function_ids[function] == "api"


def test_authorizer_results_are_not_cached(template: Template) -> None:
    authorizer = template.only("AWS::ApiGateway::Authorizer")
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert not authorizer.get("IdentitySource")


def test_gateway_errors_have_problem_body_and_headers(template: Template) -> None:
    responses = template.of_type("AWS::ApiGateway::GatewayResponse").values()
    assert {r["ResponseType"]: r["StatusCode"] for r in responses} == STATUSES
    for response in responses:
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert body.keys() == Problem.model_fields.keys()
        problem = Problem.model_validate(body)
        assert str(problem.status) == response["StatusCode"]
        assert problem.error == problem.detail
        headers = {
            name.removeprefix("gatewayresponse.header."): value.strip("'")
            for name, value in response["ResponseParameters"].items()
        }
        assert problem.retryable is ("Retry-After" in headers)
        for name in ("Retry-After", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"):
            headers.pop(name, None)
        assert headers == {
            **HEADERS,
            "Content-Type": MEDIA_TYPE,
            "X-Trace-Id": "context.xrayTraceId",  # filled in by API Gateway
        }
        assert not any("'" in value for value in headers.values())


def test_gateway_errors_have_codes_and_titles_of_function_errors(template: Template) -> None:
    error_classes = {
        "UNAUTHORIZED": errors.Unauthorized,
        "ACCESS_DENIED": errors.Forbidden,
        "WAF_FILTERED": errors.Forbidden,
        "RESOURCE_NOT_FOUND": errors.NotFound,
        "REQUEST_TOO_LARGE": errors.PayloadTooLarge,
        "DEFAULT_4XX": errors.Malformed,
    }
    for response in template.of_type("AWS::ApiGateway::GatewayResponse").values():
        if error_class := error_classes.get(response["ResponseType"]):
            body = json.loads(response["ResponseTemplates"]["application/json"])
            assert (body["code"], body["title"]) == (error_class.code, error_class.title)


def test_access_log_is_json_without_secrets(template: Template) -> None:
    setting = template.only("AWS::ApiGateway::Stage")["AccessLogSetting"]
    fields = json.loads(setting["Format"])
    variables = " ".join(fields.values())
    for private in ("header", "body", "querystring", "apiKey", "authorizer.claims", "path}"):
        assert private not in variables
    assert "$context.requestId" in variables
    # The declared route, not the requested path, which may contain anything.
    assert fields["route"] == "$context.resourcePath"


def test_api_stage_is_throttled_and_traced(template: Template) -> None:
    stage = template.only("AWS::ApiGateway::Stage")
    settings = next(s for s in stage["MethodSettings"] if s["ResourcePath"] == "/*")
    assert settings["ThrottlingRateLimit"] > 0
    assert settings["ThrottlingBurstLimit"] > 0
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True
    assert stage["StageName"] == "live"


def test_api_requires_tls_1_2(template: Template) -> None:
    assert "TLS13_1_2" in template.only("AWS::ApiGateway::RestApi")["SecurityPolicy"]


def test_keyless_routes_cannot_exhaust_stage_throttle(
    templates: Mapping[str, Template],
) -> None:
    for name, template in templates.items():
        settings = template.only("AWS::ApiGateway::Stage")["MethodSettings"]
        limits = {
            (s["HttpMethod"], s["ResourcePath"].replace("~1", "/")): s["ThrottlingRateLimit"]
            for s in settings
        }
        stage_limit = limits.pop(("*", "/*"))
        keyless = {
            (method, path)
            for (method, path), route in template.routes.items()
            if route["AuthorizationType"] == "NONE"
        }
        links = {
            (method, path) for method, path in (route.split(" ") for route in SIGNED_LINK_ENDPOINTS)
        }
        assert {(method, path.strip("/")) for method, path in limits} == {
            (method, path.strip("/")) for method, path in keyless | links
        }, name
        assert 0 < sum(limits.values()) <= 0.8 * stage_limit
