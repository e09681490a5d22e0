"""What the template puts into a function's environment is what the function asks for."""

import json
from collections.abc import Mapping

from common import settings
from migrate.privileges import PRIVILEGES
from tests.infra.template import Json, Template

# Read by Powertools, not by the functions.
POWERTOOLS = {"LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}


def deployed(value: Json) -> str:
    """The value that CloudFormation will put in place of a reference."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator.join(map(deployed, parts)))
    return "5432" if value.get("Fn::GetAtt", [""])[-1] == "Endpoint.Port" else "resolved"


def environment(template: Template, folder: str) -> Mapping[str, str]:
    variables = template.functions[folder]["Environment"]["Variables"]
    return {name: deployed(value) for name, value in variables.items()}


def test_every_function_has_settings(template: Template) -> None:
    assert settings.BY_FUNCTION.keys() == template.functions.keys()


def test_the_environment_satisfies_the_settings(template: Template) -> None:
    for folder, asked in settings.BY_FUNCTION.items():
        asked.model_validate(dict(environment(template, folder)))


def test_the_environment_holds_nothing_that_nobody_reads(template: Template) -> None:
    for folder, asked in settings.BY_FUNCTION.items():
        read = {name.upper() for name in asked.model_fields}
        assert environment(template, folder).keys() - read == POWERTOOLS, folder


def test_powertools_names_the_service_by_its_folder(template: Template) -> None:
    for folder in template.functions:
        assert environment(template, folder)["POWERTOOLS_SERVICE_NAME"] == folder


def test_migrate_knows_the_secret_of_every_role(template: Template) -> None:
    arns = json.loads(environment(template, "migrate")["DATABASE_ROLE_ARNS"])
    assert arns.keys() == PRIVILEGES.keys()


def test_no_secret_stands_in_an_environment(template: Template) -> None:
    for folder in template.functions:
        variables = template.functions[folder]["Environment"]["Variables"]
        for name, value in variables.items():
            assert "resolve:" not in str(value), f"{folder}: {name}"
            if "SECRET" in name:
                assert name.endswith("_SECRET_ARN")
                assert "Ref" in value


def test_tls_is_verified_in_the_cloud(templates: Mapping[str, Template]) -> None:
    for stage, template in templates.items():
        for folder in template.functions:
            tls = environment(template, folder)["DATABASE_TLS"]
            assert tls == ("disable" if stage == "local" else "verify-full")
