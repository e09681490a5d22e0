"""Fixtures of the synthesized templates, as in the tier `infra`."""

from tests.infra.conftest import layers, templates

__all__ = ["layers", "templates"]
