"""The permissions of a deployed stack's roles, and those that requests have used."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.local.connection import Connection

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
_HASH = re.compile(r"[0-9A-F]{8}$")  # the suffix of a logical id


@dataclass(frozen=True, order=True)
class Right:
    """A permission: an action on a resource, with names that are the same in every deployment."""

    role: str  # a function's folder, or the logical id of another role
    action: str
    resource: str  # such as `*/video-clips/*`, `SecretsKeys` or `*`

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}"


@dataclass(frozen=True)
class Grant:
    """A deployed permission: its policy and its resource as an ARN with wildcards."""

    right: Right
    role_name: str
    policy_name: str
    pattern: str

    def covers(self, decision: dict[str, Any]) -> bool:
        """Return whether the grant allows the request."""
        return (
            decision["role"] == self.role_name
            and decision["action"] == self.right.action
            and fnmatchcase(decision["resource"], self.pattern)
        )


class Roles:
    """The roles of a stack in the emulator."""

    def __init__(self, link: Connection) -> None:
        self.link = link
        self._iam = link.client("iam")

    @cached_property
    def _resources(self) -> list[dict[str, Any]]:
        pages = self.link.client("cloudformation").get_paginator("list_stack_resources")
        found = pages.paginate(StackName=self.link.stack)
        return [resource for page in found for resource in page["StackResourceSummaries"]]

    @cached_property
    def names(self) -> dict[str, str]:
        """Return the test's name of each role by its physical name."""
        names = {
            resource["PhysicalResourceId"]: _HASH.sub("", resource["LogicalResourceId"])
            for resource in self._resources
            if resource["ResourceType"] == "AWS::IAM::Role"
        }
        pages = self.link.client("lambda").get_paginator("list_functions").paginate()
        for function in (entry for page in pages for entry in page["Functions"]):
            names[function["Role"].rpartition("/")[2]] = function["Handler"].split(".")[0]
        return names

    @cached_property
    def grants(self) -> list[Grant]:
        """Return each action on each resource that the policies allow."""
        found = []
        for role in self.names:
            for policy in self._iam.list_role_policies(RoleName=role)["PolicyNames"]:
                for statement in self.document(role, policy)["Statement"]:
                    if statement["Effect"] == "Allow":
                        found += list(self._grants(role, policy, statement))
        return found

    def document(self, role: str, policy: str) -> dict[str, Any]:
        """Return a policy of a role."""
        found = self._iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        return dict(found)

    def put(self, role: str, policy: str, document: dict[str, Any]) -> None:
        """Replace a policy; it applies to the next request."""
        text = json.dumps(document)
        self._iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)

    def used(self, decisions: Iterable[dict[str, Any]]) -> set[Right]:
        """Return the permissions without which one of these requests would have been denied."""
        used = set()
        for decision in {json.dumps(one): one for one in decisions}.values():
            covering = {grant.right for grant in self.grants if grant.covers(decision)}
            if decision["allowed"] and len(covering) == 1:
                used |= covering
        return used

    def _grants(self, role: str, policy: str, statement: dict[str, Any]) -> Iterator[Grant]:
        for action in as_list(statement["Action"]):
            for pattern in as_list(statement["Resource"]):
                right = Right(self.names[role], action, self._resource_name(pattern))
                yield Grant(right, role, policy, pattern)

    def _resource_name(self, pattern: str) -> str:
        if pattern.startswith("arn:aws:s3:::") and "/" in pattern:
            return pattern.partition("/")[2]
        by_length = sorted(self._resources, key=lambda one: -len(one["PhysicalResourceId"]))
        for resource in by_length:
            before, found, after = pattern.rpartition(resource["PhysicalResourceId"])
            if found and (not before or before[-1] in ":/") and after[:1] in ("", ":", "-"):
                return _HASH.sub("", resource["LogicalResourceId"]) + after
        return re.sub(r":\d{12}:", "::", pattern)


def decisions(log: Path, start: int = 0) -> list[dict[str, Any]]:
    """Return IAM's decisions from an offset of the emulator's log."""
    with log.open() as file:
        file.seek(start)
        return [json.loads(line) for line in file if line.endswith("\n")]


@dataclass(frozen=True)
class Listed:
    """An entry of `exceptions.toml` with the reason to grant these permissions."""

    roles: list[str]
    actions: list[str]
    reason: str
    resource: str = "*"

    def covers(self, right: Right) -> bool:
        """Return whether the entry covers a permission."""
        return (
            right.action in self.actions
            and any(fnmatchcase(right.role, pattern) for pattern in self.roles)
            and fnmatchcase(right.resource, self.resource)
        )


def unused() -> list[Listed]:
    """Return the entries of permissions that no request of tests/e2e uses."""
    return _exceptions("unused")


def unnoticed() -> list[Listed]:
    """Return the entries of permissions without which every request succeeds."""
    return _exceptions("unnoticed")


def _exceptions(kind: str) -> list[Listed]:
    return [Listed(**entry) for entry in tomllib.loads(EXCEPTIONS.read_text())[kind]]


def complaints(granted: set[Right], used: set[Right]) -> list[str]:
    """Return the violations of the permissions and of the exceptions."""
    excused = {right for right in granted if any(entry.covers(right) for entry in unused())}
    needless = [
        f"{action} of {', '.join(entry.roles)}"
        for entry in unused() + unnoticed()
        for action in entry.actions
        if not any(entry.covers(right) and right.action == action for right in granted)
    ]
    return [
        *(
            f"no request used it, and no reason is listed: {one}"
            for one in granted - excused - used
        ),
        *(f"listed as unused, but a request used it: {one}" for one in excused & used),
        *(f"listed as an exception, but no role has it: {one}" for one in needless),
    ]


def as_list(value: Any) -> list[Any]:
    """Return a list of what IAM writes as a value or as a list."""
    return value if isinstance(value, list) else [value]
