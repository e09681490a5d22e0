"""Patches of MiniStack for differences from AWS that affect this stack, one module per gap.

Each module describes the gap in its docstring and closes it in `apply`. Only these modules use
private names of MiniStack, which is why its version is pinned exactly. For each gap, a test in
tests/local reproduces it on an unpatched emulator. When a newer MiniStack closes the gap, that test
fails and names the module to delete.
"""

import importlib
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import (
    called_address,
    custom_resource_failure,
    database_instance,
    decision_log,
    delete_objects,
    integration_timeout,
    metric_math_alarm,
    missing_resource_types,
    object_version,
    payload_limit,
    python_runtime,
    refused_invocation,
    remapped_headers,
    retry_pauses,
    root_credential,
    secret_reference,
    secure_transport,
    stable_names,
    vpc_attributes,
)

ALL = (
    missing_resource_types,
    vpc_attributes,
    database_instance,
    metric_math_alarm,
    custom_resource_failure,
    python_runtime,
    secure_transport,
    secret_reference,
    stable_names,
    root_credential,
    called_address,
    object_version,
    payload_limit,
    refused_invocation,
    remapped_headers,
    integration_timeout,
    retry_pauses,
    delete_objects,
    decision_log,
)


def apply(settings: LauncherSettings) -> None:
    """Apply all patches; call once, after MiniStack is imported and before it serves requests."""
    for patch in ALL:
        patch.apply(settings)


def stop_workers() -> None:
    """Kill all function processes."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    runtime.reset()
