"""A synthesized CloudFormation template with accessors for tests."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

Json = Any  # parsed JSON, whose shape the tests check


@dataclass(frozen=True, eq=False)
class Template:
    """The template of one stage."""

    stage: str
    path: Path

    @cached_property
    def document(self) -> Json:
        return json.loads(self.path.read_text(encoding="utf-8"))

    @cached_property
    def resources(self) -> dict[str, Json]:
        resources: dict[str, Json] = self.document["Resources"]
        return resources

    @cached_property
    def construct_paths(self) -> dict[str, str]:
        """The construct path of each resource, by logical id."""
        metadata = self.path.with_name(f"VideoGenerator-{self.stage}.metadata.json")
        return {
            entry["data"]: construct_path
            for construct_path, entries in json.loads(metadata.read_text()).items()
            for entry in entries
            if entry["type"] == "aws:cdk:logicalId" and entry["data"] in self.resources
        }

    def of_type(self, kind: str) -> dict[str, Json]:
        """Return the properties of all resources of a type, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def only(self, kind: str) -> Json:
        """Return the properties of the only resource of a type."""
        (properties,) = self.of_type(kind).values()
        return properties

    @cached_property
    def functions(self) -> dict[str, Json]:
        """The properties of the functions, by folder."""
        return {
            properties["Handler"].split(".")[0]: properties
            for properties in self.of_type("AWS::Lambda::Function").values()
        }

    @cached_property
    def function_ids(self) -> dict[str, str]:
        """The folders of the functions, by logical id."""
        return {
            name: properties["Handler"].split(".")[0]
            for name, properties in self.of_type("AWS::Lambda::Function").items()
        }

    @cached_property
    def machine(self) -> Json:
        """The state machine's definition, without the ARNs of functions."""
        return json.loads(self.only("AWS::StepFunctions::StateMachine")["DefinitionString"])

    def statements(self) -> Iterator[tuple[str, Json]]:
        """Yield every statement of every role, with the logical id of its policy."""
        for name, policy in self.of_type("AWS::IAM::Policy").items():
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
        for name, role in self.of_type("AWS::IAM::Role").items():
            for policy in role.get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement

    def statements_of(self, folder: str) -> list[Json]:
        """Return the statements of a function's role."""
        role = self.functions[folder]["Role"]["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    @cached_property
    def routes(self) -> dict[tuple[str, str], Json]:
        """The properties of the API's methods, by method and path."""
        resources = self.of_type("AWS::ApiGateway::Resource")

        def path(reference: Json) -> str:
            if "Ref" not in reference:  # the attribute RootResourceId of the API
                return ""
            part = resources[reference["Ref"]]
            return f"{path(part['ParentId'])}/{part['PathPart']}"

        return {
            (method["HttpMethod"], path(method["ResourceId"])): method
            for method in self.of_type("AWS::ApiGateway::Method").values()
        }


def as_list(value: Json) -> list[Json]:
    """Return a list of what IAM writes as a value or as a list."""
    return value if isinstance(value, list) else [value]
