"""MiniStack's modules as untyped values; it ships no type information."""

import importlib
from collections.abc import Callable, MutableMapping
from typing import Any


def module(name: str) -> Any:
    """The module `ministack.<name>`."""
    return importlib.import_module(f"ministack.{name}")


def provisioners() -> Any:
    """The module that creates CloudFormation resources."""
    return module("services.cloudformation.provisioners")


def handlers() -> MutableMapping[str, dict[str, Callable[..., Any]]]:
    """CloudFormation type name to its create, update and delete functions."""
    table: MutableMapping[str, dict[str, Callable[..., Any]]] = provisioners()._RESOURCE_HANDLERS
    return table
