"""The cheap share of `make first-use`: the check before anything is set up, and PostgreSQL.

The clone is this one, mounted where the environment has it.
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
from tests.local.first_use import ENVIRONMENTS, WHERE, Environment, run

STARTED = ("root, home 0700", "path of 800 bytes", "no /dev/shm", "root without capabilities")
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
# These need a disk or an interpreter of their own.
REFUSED = [
    one for one in ENVIRONMENTS if one.refused and not one.python and "disk of" not in one.name
]


def can_try() -> bool:
    command = ["unshare", "--mount", "true"]
    return bool(
        sys.platform == "linux"
        and shutil.which("unshare")
        and subprocess.run(command, capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(not can_try(), reason="needs Linux, root and mount namespaces")


@pytest.fixture
def base() -> Iterator[Path]:
    """The folder of one trial."""
    with tempfile.TemporaryDirectory(prefix="first-use-", dir=WHERE) as folder:
        yield Path(folder)


def mounted(environment: Environment, base: Path, *command: str) -> tuple[int, str]:
    """Run this clone's Python in the environment; its exit status and everything it printed."""
    clone = base / environment.clone
    clone.mkdir(parents=True)
    (base / "home").mkdir(mode=0o700, exist_ok=True)
    (base / "home").chmod(0o700)
    here = replace(
        environment, user=False, run=f'mount --bind "{PROJECT}" .; cd "$PWD"; {environment.run}'
    )
    done = run(here, base, [str(clone / ".venv/bin/python"), *command], clone)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", STARTED)
def test_postgresql_starts(name: str, base: Path) -> None:
    (environment,) = (one for one in ENVIRONMENTS if one.name == name)
    state = (base / environment.clone).parent / "state"
    code, text = mounted(environment, base, "-c", START, str(state))
    assert (code, text.strip()) == (0, "[[42]]")


@pytest.mark.parametrize("environment", REFUSED, ids=lambda one: one.name)
def test_what_cannot_work_is_said_in_one_line(environment: Environment, base: Path) -> None:
    assert environment.refused is not None
    code, text = mounted(environment, base, "-B", "-m", "infra.local.preflight")
    assert code == 1
    assert environment.refused in text
    assert text.startswith("error: ")
    assert text.endswith(" Nothing was set up.\n")
    assert text.count("\n") == 1
