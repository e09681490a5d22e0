"""The fast part of `make first-use`: the preflight check and the start of PostgreSQL.

This clone is mounted at the path that the environment requires.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local.state import PROJECT
from tests.local.first_use import ENVIRONMENTS, TEMP_FOLDER, Environment, run

POSTGRES_ENVIRONMENTS = (
    "root, home 0700",
    "path of 800 bytes",
    "no /dev/shm",
    "root without capabilities",
)
START = """
import sys
from pathlib import Path
from infra.local.postgres import Postgres
from infra.local.state import State
server = Postgres(State.open(Path(sys.argv[1])))
server.start()
print(server.connect().run("SELECT 42"))
server.stop()
"""
# Without environments that need a separate disk or interpreter.
REJECTED_ENVIRONMENTS = [
    e for e in ENVIRONMENTS if e.refused and not e.python and "disk of" not in e.name
]


def is_supported() -> bool:
    command = ["unshare", "--mount", "true"]
    return bool(
        sys.platform == "linux"
        and shutil.which("unshare")
        and subprocess.run(command, capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(not is_supported(), reason="needs Linux, root and mount namespaces")


@pytest.fixture
def base() -> Iterator[Path]:
    """The folder of a trial."""
    with tempfile.TemporaryDirectory(prefix="first-use-", dir=TEMP_FOLDER) as folder:
        yield Path(folder)


def run_python(environment: Environment, base: Path, *command: str) -> tuple[int, str]:
    """Run this clone's Python in the environment; return its exit status and output."""
    clone = base / environment.clone
    clone.mkdir(parents=True)
    (base / "home").mkdir(mode=0o700, exist_ok=True)
    (base / "home").chmod(0o700)
    mounted_environment = replace(
        environment, user=False, run=f'mount --bind "{PROJECT}" .; cd "$PWD"; {environment.run}'
    )
    done = run(mounted_environment, base, [str(clone / ".venv/bin/python"), *command], clone)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", POSTGRES_ENVIRONMENTS)
def test_postgresql_starts_in_environment(name: str, base: Path) -> None:
    (environment,) = (e for e in ENVIRONMENTS if e.name == name)
    state = (base / environment.clone).parent / "state"
    code, text = run_python(environment, base, "-c", START, str(state))
    assert (code, text.strip()) == (0, "[[42]]")


@pytest.mark.parametrize(
    "environment", REJECTED_ENVIRONMENTS, ids=lambda environment: environment.name
)
def test_preflight_rejects_unsupported_environment_in_one_line(
    environment: Environment, base: Path
) -> None:
    assert environment.refused is not None
    code, text = run_python(environment, base, "-B", "-m", "infra.local.preflight")
    assert code == 1
    assert environment.refused in text
    assert text.startswith("error: ")
    assert text.endswith(" Nothing was set up.\n")
    assert text.count("\n") == 1
