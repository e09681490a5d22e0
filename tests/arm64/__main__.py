"""`make arm64`: try everything in the cloud's layers that is compiled, on their own processor.

Exit code 0 when all of it works, or when this machine cannot emulate arm64, which is said.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.function_sources import function_names
from infra.local.errors import LocalCloudError
from infra.local.postgres import SUPERUSER, Postgres
from infra.local.state import State
from layers import build
from layers.lock import ROOT
from layers.platforms import PLATFORMS
from tests.arm64 import system
from tests.arm64.probe import PROBES
from tests.media import coded, judge

PLATFORM = "lambda-arm64"
SECONDS = (
    1800.0  # for one probe; imports that take a second natively take minutes on a busy machine
)


class Failed(Exception):
    """A probe did not work; the message is what it said last."""


class Machine:
    """The emulated system with the layers, as a function sees them."""

    def __init__(self, emulated: system.System, scratch: Path) -> None:
        self._system = emulated
        self._python = emulated.root / system.PYTHON
        layers = [build.folder(PLATFORM, layer) for layer in build.LAYERS]
        programs = scratch / "bin"
        programs.mkdir()
        emulated.script(programs / "ffmpeg", build.folder(PLATFORM, "ffmpeg") / "bin" / "ffmpeg")
        python = emulated.script(programs / "python3.13", self._python)
        packages = [str(layer / "python") for layer in layers if (layer / "python").is_dir()]
        self._environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "PYTHONPATH": ":".join([str(ROOT / "functions"), *packages]),
            "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
            "EMULATED_PYTHON": str(python),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "LAMBDA_TASK_ROOT": str(ROOT / "functions"),
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008",
            "POWERTOOLS_SERVICE_NAME": "arm64",
            "POWERTOOLS_METRICS_NAMESPACE": "arm64",
            "POWERTOOLS_TRACE_DISABLED": "true",
        }

    def probe(self, name: str, *arguments: str, **environment: str) -> str:
        """Run a probe; return what it found. Raises Failed."""
        done = self._system.run(
            self._python,
            str(Path(__file__).with_name("probe.py")),
            name,
            *arguments,
            environment={**self._environment, **environment},
            seconds=SECONDS,
        )
        if done.returncode != 0:
            raise Failed(done.stderr.strip() or f"exit code {done.returncode}")
        return done.stdout.strip()


def handlers(machine: Machine, scratch: Path) -> str:
    """All functions can be imported."""
    return machine.probe("handlers", *function_names())


def pictures(machine: Machine, scratch: Path) -> str:
    """Every kind of picture is read and written."""
    return machine.probe("pictures")


def merge(machine: Machine, scratch: Path) -> str:
    """Clips become one video that, decoded here, shows and sounds like the clips in order."""
    makes = [coded.PLAIN, coded.Make(size=(640, 360))]  # the second must be encoded
    coded.clips(scratch, *makes)
    found = machine.probe("merge", str(scratch))
    video = Path(json.loads((scratch / "made.json").read_text()))
    numbers, size = range(coded.PLAIN.frames), coded.PLAIN.size
    scenes = [judge.Scene(number, numbers, size) for number, _ in enumerate(makes, 1)]
    judge.judge(video, scenes, size=size, rate=coded.PLAIN.rate)
    return found


def database(machine: Machine, scratch: Path) -> str:
    """A connection with a password to PostgreSQL, over TCP."""
    with _postgres(scratch) as server:
        return machine.probe(
            "database",
            "127.0.0.1",
            str(server.port),
            "postgres",
            SUPERUSER,
            PASSWORD=server.password,
        )


def speech(machine: Machine, scratch: Path) -> str:
    """The offline voice speaks."""
    return machine.probe("speech")


CHECKS: tuple[Callable[[Machine, Path], str], ...] = (handlers, pictures, merge, database, speech)


@contextmanager
def _postgres(scratch: Path) -> Iterator[Postgres]:
    server = Postgres(State.open(scratch / "state"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> int:
    """Run the checks named on the command line, or all; return the exit code."""
    assert {check.__name__ for check in CHECKS} == set(PROBES)
    for layer in build.LAYERS:
        build.build(PLATFORMS[PLATFORM](), layer)
    try:
        emulated = system.prepare()
    except system.Unavailable as reason:
        print(f"Skipped: arm64 cannot be emulated here. {reason}")
        return 0
    failed = 0
    named = sys.argv[1:]
    for check in [check for check in CHECKS if check.__name__ in named or not named]:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            scratch.chmod(0o755)  # PostgreSQL does not run as root
            try:
                found, word = check(Machine(emulated, scratch), scratch), "ok"
            except (Failed, LocalCloudError, AssertionError) as error:
                found, word = str(error), "FAILED"
                failed += 1
        print(f"{word} {check.__name__}: {found} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
