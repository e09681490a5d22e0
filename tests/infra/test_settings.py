"""Environment variables of the template compared with the settings of each function."""

import json
from collections.abc import Mapping

from common import settings
from migrate.privileges import PRIVILEGES
from tests.infra.template import Json, Template

# Read by Powertools, not by the functions.
POWERTOOLS = {"LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}


def resolve(value: Json) -> str:
    """Return a value with references resolved as CloudFormation would."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator.join(map(resolve, parts)))
    return "5432" if value.get("Fn::GetAtt", [""])[-1] == "Endpoint.Port" else "resolved"


def environment(template: Template, folder: str) -> Mapping[str, str]:
    variables = template.functions[folder]["Environment"]["Variables"]
    return {name: resolve(value) for name, value in variables.items()}


def test_every_function_has_settings_class(template: Template) -> None:
    assert settings.BY_FUNCTION.keys() == template.functions.keys()


def test_environment_satisfies_settings(template: Template) -> None:
    for folder, settings_class in settings.BY_FUNCTION.items():
        settings_class.model_validate(dict(environment(template, folder)))


def test_environment_has_no_unused_variables(template: Template) -> None:
    for folder, settings_class in settings.BY_FUNCTION.items():
        field_names = {name.upper() for name in settings_class.model_fields}
        assert environment(template, folder).keys() - field_names == POWERTOOLS, folder


def test_powertools_service_name_is_function_folder(template: Template) -> None:
    for folder in template.functions:
        assert environment(template, folder)["POWERTOOLS_SERVICE_NAME"] == folder


def test_migrate_environment_has_secret_of_every_role(template: Template) -> None:
    arns = json.loads(environment(template, "migrate")["DATABASE_ROLE_ARNS"])
    assert arns.keys() == PRIVILEGES.keys()


def test_environment_contains_no_secret(template: Template) -> None:
    for folder in template.functions:
        variables = template.functions[folder]["Environment"]["Variables"]
        for name, value in variables.items():
            assert "resolve:" not in str(value), f"{folder}: {name}"
            if "SECRET" in name:
                assert name.endswith("_SECRET_ARN")
                assert "Ref" in value


def test_database_tls_is_verified_in_cloud_stages(templates: Mapping[str, Template]) -> None:
    for stage, template in templates.items():
        for folder in template.functions:
            tls = environment(template, folder)["DATABASE_TLS"]
            assert tls == ("disable" if stage == "local" else "verify-full")
