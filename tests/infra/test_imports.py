"""Which packages each handler may import at start: what every cold start pays for."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from infra.function_sources import function_names

FUNCTIONS = Path(__file__).parents[2] / "functions"

# Settings, logs, the database and the signer that reads its secret.
EVERYBODY = {
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
TRACED = EVERYBODY | {"aws_xray_sdk", "wrapt"}
PAYING = TRACED | {"tenacity"}  # patience with what was paid for

ALLOWED = {
    "authorizer": EVERYBODY,
    "api": TRACED,
    "intake": TRACED,
    "register": TRACED,
    "story": PAYING,
    "speech": PAYING,
    "image": PAYING,
    "clip": PAYING,
    "merge": TRACED,
    "finish": TRACED,
    "sweeper": TRACED,
    "migrate": EVERYBODY | {"importlib_metadata", "lazy_importer", "sqlparse", "yoyo", "tabulate"},
}

# Inside of what is allowed: the router is for the API, clients are for those who call AWS. Every
# request waits for the authorizer, which reads its secrets with the signer alone.
RESERVED = {
    "aws_lambda_powertools.event_handler": {"api"},
    "botocore.client": set(ALLOWED) - {"authorizer", "migrate"},
}

_LIST = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@cache
def imported(module: str) -> frozenset[str]:
    """Every module that importing this one brings, in a process of its own."""
    # As in Lambda, where tracing is on.
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(FUNCTIONS),
        "LAMBDA_TASK_ROOT": "/var/task",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "test",
    }
    done = subprocess.run(
        [sys.executable, "-c", _LIST, module],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(json.loads(done.stdout))


def packages(folder: str) -> set[str]:
    own = {"common", "offline", folder}
    roots = {name.split(".")[0] for name in imported(f"{folder}.handler")}
    foreign = {root for root in roots if root not in sys.stdlib_module_names and root not in own}
    return {root for root in foreign if not root.startswith("_")}  # parts of the wheels above


def test_every_function_is_held_to_a_list() -> None:
    assert sorted(ALLOWED) == function_names()


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_a_handler_imports_what_it_may(folder: str) -> None:
    assert packages(folder) - ALLOWED[folder] == set()


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_parts_of_packages_are_imported_by_those_they_are_for(folder: str) -> None:
    modules = imported(f"{folder}.handler")
    for part, users in RESERVED.items():
        assert folder in users or part not in modules, part


@pytest.mark.parametrize("folder", list(ALLOWED))
def test_nobody_imports_a_vendor_or_a_painter_at_start(folder: str) -> None:
    assert not packages(folder) & {"openai", "httpx2", "requests", "boto3", "PIL", "s3transfer"}


def test_the_list_sees_an_import() -> None:
    assert "PIL" in imported("common.media.images")
