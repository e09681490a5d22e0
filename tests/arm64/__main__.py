"""`make arm64`: run all compiled code of the cloud's layers on emulated arm64.

Exits with 0 if everything works, or, with a message, if this machine cannot emulate arm64.
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
    """Raised when a probe fails, with its last output."""


class Machine:
    """The emulated system with the layers, as in a function's environment."""

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
        """Run a probe; return its output. Raises Failed."""
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
    """Import all functions."""
    return machine.probe("handlers", *function_names())


def pictures(machine: Machine, scratch: Path) -> str:
    """Read and write every image format."""
    return machine.probe("pictures")


def merge(machine: Machine, scratch: Path) -> str:
    """Merge clips and check the decoded frames and audio."""
    makes = [coded.PLAIN, coded.ClipSpec(size=(640, 360))]  # the second must be transcoded
    coded.clips(scratch, *makes)
    output = machine.probe("merge", str(scratch))
    video = Path(json.loads((scratch / "made.json").read_text()))
    numbers, size = range(coded.PLAIN.frames), coded.PLAIN.size
    scenes = [judge.Scene(number, numbers, size) for number, _ in enumerate(makes, 1)]
    judge.assert_video(video, scenes, size=size, rate=coded.PLAIN.rate)
    return output


def database(machine: Machine, scratch: Path) -> str:
    """Connect to PostgreSQL with a password over TCP."""
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
    """Synthesize speech with the offline provider."""
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
    """Run the checks of the command line, or all; return the exit code."""
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
                output, status = check(Machine(emulated, scratch), scratch), "ok"
            except (Failed, LocalCloudError, AssertionError) as error:
                output, status = str(error), "FAILED"
                failed += 1
        print(
            f"{status} {check.__name__}: {output} ({time.monotonic() - started:.0f} s)", flush=True
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
