"""Where MiniStack differs from AWS in a way that this stack meets: one file per gap.

Each file names the gap in its docstring and closes it in `apply`. They use private names of
MiniStack, which appear nowhere else; that is why its version is pinned exactly. For each there is
a test in tests/local that shows the gap on an unpatched emulator, and so fails, naming the file to
delete, as soon as a newer MiniStack has closed it.
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
    """Close every gap; to be called once, after MiniStack's import and before it serves."""
    for patch in ALL:
        patch.apply(settings)


def stop_workers() -> None:
    """End all function processes."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    runtime.reset()
