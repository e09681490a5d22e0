"""The API in the template is the API that the function serves."""

import json
import re
from collections.abc import Mapping

from api.handler import app
from api.http.middleware import SECURITY_HEADERS
from api.http.problems import MEDIA_TYPE, Problem
from common.domain import errors
from common.domain.signed_links import WITHOUT_A_KEY
from infra import config
from tests.infra.template import Template

# API Gateway puts values in single quotes itself, and this one holds some.
HEADERS = {k: v for k, v in SECURITY_HEADERS.items() if k != "Content-Security-Policy"}

# Statuses that API Gateway itself answers with, by its names for them.
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


def served() -> dict[tuple[str, str], bool]:
    """Method and path of every route of the function, and whether it asks who calls."""
    routes = [*app._static_routes, *app._dynamic_routes]  # the router has no public list
    return {
        (route.method, re.sub(r"<\w+>", "{}", route.path)): bool(route.middlewares)
        for route in routes
    }


def test_routes_are_the_ones_that_the_function_serves(template: Template) -> None:
    deployed = {
        (method, re.sub(r"{\w+}", "{}", path)): properties["AuthorizationType"] == "CUSTOM"
        for (method, path), properties in template.routes.items()
        if method != "OPTIONS"
    }
    assert deployed == served()


def test_browsers_may_ask_about_every_path_without_a_key(template: Template) -> None:
    paths = {path for _, path in template.routes}
    for path in paths:
        assert template.routes["OPTIONS", path]["AuthorizationType"] == "NONE"


def test_gateway_errors_are_readable_by_pages_of_the_one_site(
    templates: Mapping[str, Template],
) -> None:
    name = "gatewayresponse.header.Access-Control-Allow-Origin"
    for stage, template in templates.items():
        origins = config.STAGES[stage].cors_origins
        for answer in template.of_type("AWS::ApiGateway::GatewayResponse").values():
            expected = f"'{origins[0]}'" if len(origins) == 1 else None
            assert answer["ResponseParameters"].get(name) == expected


def test_every_route_runs_the_same_function(template: Template) -> None:
    for method in template.routes.values():
        assert method["Integration"]["Type"] == "AWS_PROXY"
        (function,) = re.findall(r'"(ApiFunction\w+)"', json.dumps(method["Integration"]["Uri"]))
        assert template.function_ids[function] == "api"


def test_keys_are_checked_on_every_request(template: Template) -> None:
    authorizer = template.only("AWS::ApiGateway::Authorizer")
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert not authorizer.get("IdentitySource")


def test_gateway_errors_have_the_shape_and_headers_of_the_functions(template: Template) -> None:
    answers = template.of_type("AWS::ApiGateway::GatewayResponse").values()
    assert {a["ResponseType"]: a["StatusCode"] for a in answers} == STATUSES
    for answer in answers:
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        assert body.keys() == Problem.model_fields.keys()
        problem = Problem.model_validate(body)
        assert str(problem.status) == answer["StatusCode"]
        assert problem.error == problem.detail
        headers = {
            name.removeprefix("gatewayresponse.header."): value.strip("'")
            for name, value in answer["ResponseParameters"].items()
        }
        assert problem.retryable is ("Retry-After" in headers)
        for name in ("Retry-After", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"):
            headers.pop(name, None)
        assert headers == {
            **HEADERS,
            "Content-Type": MEDIA_TYPE,
            "X-Trace-Id": "context.xrayTraceId",  # for API Gateway to fill in
        }
        assert not any("'" in value for value in headers.values())


def test_gateway_errors_have_the_codes_and_titles_of_the_functions(template: Template) -> None:
    same = {
        "UNAUTHORIZED": errors.Unauthorized,
        "ACCESS_DENIED": errors.Forbidden,
        "WAF_FILTERED": errors.Forbidden,
        "RESOURCE_NOT_FOUND": errors.NotFound,
        "REQUEST_TOO_LARGE": errors.PayloadTooLarge,
        "DEFAULT_4XX": errors.Malformed,
    }
    for answer in template.of_type("AWS::ApiGateway::GatewayResponse").values():
        if known := same.get(answer["ResponseType"]):
            body = json.loads(answer["ResponseTemplates"]["application/json"])
            assert (body["code"], body["title"]) == (known.code, known.title)


def test_the_access_log_is_json_and_holds_no_secret(template: Template) -> None:
    setting = template.only("AWS::ApiGateway::Stage")["AccessLogSetting"]
    fields = json.loads(setting["Format"])
    variables = " ".join(fields.values())
    for private in ("header", "body", "querystring", "apiKey", "authorizer.claims", "path}"):
        assert private not in variables
    assert "$context.requestId" in variables
    # The route as it is declared, not the path as it was called, which may hold anything.
    assert fields["route"] == "$context.resourcePath"


def test_the_stage_is_throttled_and_traced(template: Template) -> None:
    stage = template.only("AWS::ApiGateway::Stage")
    settings = next(one for one in stage["MethodSettings"] if one["ResourcePath"] == "/*")
    assert settings["ThrottlingRateLimit"] > 0
    assert settings["ThrottlingBurstLimit"] > 0
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True
    assert stage["StageName"] == "live"


def test_old_tls_is_refused(template: Template) -> None:
    assert "TLS13_1_2" in template.only("AWS::ApiGateway::RestApi")["SecurityPolicy"]


def test_requests_without_a_key_cannot_take_the_rate_of_the_stage(
    templates: Mapping[str, Template],
) -> None:
    for name, template in templates.items():
        settings = template.only("AWS::ApiGateway::Stage")["MethodSettings"]
        limits = {
            (one["HttpMethod"], one["ResourcePath"].replace("~1", "/")): one["ThrottlingRateLimit"]
            for one in settings
        }
        whole = limits.pop(("*", "/*"))
        keyless = {
            (method, path)
            for (method, path), one in template.routes.items()
            if one["AuthorizationType"] == "NONE"
        }
        links = {(method, path) for method, path in (one.split(" ") for one in WITHOUT_A_KEY)}
        assert {(method, path.strip("/")) for method, path in limits} == {
            (method, path.strip("/")) for method, path in keyless | links
        }, name
        assert 0 < sum(limits.values()) <= 0.8 * whole
