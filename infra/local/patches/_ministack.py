"""Access to MiniStack's modules as untyped values, because it has no type information."""

import importlib
from collections.abc import Callable, MutableMapping
from typing import Any


def module(name: str) -> Any:
    """Return the module `ministack.<name>`."""
    return importlib.import_module(f"ministack.{name}")


def provisioners() -> Any:
    """Return the module that creates CloudFormation resources."""
    return module("services.cloudformation.provisioners")


def handlers() -> MutableMapping[str, dict[str, Callable[..., Any]]]:
    """Return the create, update and delete functions of each CloudFormation type."""
    table: MutableMapping[str, dict[str, Callable[..., Any]]] = provisioners()._RESOURCE_HANDLERS
    return table
