"""Packages that each handler may import at start, which add to every cold start."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from infra.function_sources import function_names

FUNCTIONS = Path(__file__).parents[2] / "functions"

# Settings, logs, the database and the request signer that reads its secret.
BASE = {
    "annotated_types",
    "aws_lambda_powertools",
    "botocore",
    "certifi",
    "dateutil",
    "jmespath",
    "psycopg2",
    "pydantic",
    "pydantic_core",
    "six",
    "typing_extensions",
    "typing_inspection",
    "urllib3",
}
WITH_TRACING = BASE | {"aws_xray_sdk", "wrapt"}
WITH_BILLING = WITH_TRACING | {"tenacity"}  # retries around paid results

ALLOWED = {
    "authorizer": BASE,
    "api": WITH_TRACING,
    "intake": WITH_TRACING,
    "register": WITH_TRACING,
    "story": WITH_BILLING,
    "speech": WITH_BILLING,
    "image": WITH_BILLING,
    "clip": WITH_BILLING,
    "merge": WITH_TRACING,
    "finish": WITH_TRACING,
    "sweeper": WITH_TRACING,
    "migrate": BASE | {"importlib_metadata", "lazy_importer", "sqlparse", "yoyo", "tabulate"},
}

# Parts of allowed packages: only the API uses the router, and only functions that call AWS use
# clients. Every request waits for the authorizer, so it reads its secrets with the signer alone.
RESERVED = {
    "aws_lambda_powertools.event_handler": {"api"},
    "botocore.client": set(ALLOWED) - {"authorizer", "migrate"},
}

_LIST_MODULES = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@cache
def imported_modules(module: str) -> frozenset[str]:
    """Return the modules loaded by importing this one in a new process."""
    # LAMBDA_TASK_ROOT turns tracing on, as in Lambda.
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(FUNCTIONS),
        "LAMBDA_TASK_ROOT": "/var/task",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "test",
    }
    done = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, module],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(json.loads(done.stdout))


def packages(folder: str) -> set[str]:
    project = {"common", "offline", folder}
    roots = {name.split(".")[0] for name in imported_modules(f"{folder}.handler")}
    third_party = {
        root for root in roots if root not in sys.stdlib_module_names and root not in project
    }
    return {
        root for root in third_party if not root.startswith("_")
    }  # compiled parts of the packages above


def test_cold_start_allowlist_covers_every_function() -> None:
    assert sorted(ALLOWED) == function_names()


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_cold_start_imports_only_allowed_packages(folder: str) -> None:
    assert packages(folder) - ALLOWED[folder] == set()


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_cold_start_imports_reserved_modules_only_where_used(folder: str) -> None:
    modules = imported_modules(f"{folder}.handler")
    for part, users in RESERVED.items():
        assert folder in users or part not in modules, part


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_cold_start_imports_no_vendor_or_image_library(folder: str) -> None:
    assert not packages(folder) & {"openai", "httpx2", "requests", "boto3", "PIL", "s3transfer"}


def test_imported_modules_contains_transitive_import() -> None:
    assert "PIL" in imported_modules("common.media.images")
