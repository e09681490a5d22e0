"""Gap: MiniStack's Python runner differs from Lambda's runtime.

It loses error names, so that Retry and Catch by name fail, passes the host's environment to
functions, and drops the executable bits of layers. The patch runs `python*` functions with
MiniStack's custom runtime support, which implements the Lambda Runtime API, and AWS's runtime
interface client (`awslambdaric`). Each process gets a clean environment, its layers merged at /opt,
and a private /tmp; see infra/local/runtime/.
"""

import os
import queue
import shutil
import signal
import threading
from pathlib import Path
from typing import Any, TextIO

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack
from infra.local.patches._sandbox import Sandbox

# Lambda allows 10 s for the INIT phase. Concurrent cold starts on a small machine take longer, and
# restarting them would not help.
INIT_SECONDS = 60.0
# Wait for log output of an invocation that has printed nothing. Later output is logged with the
# next invocation. MiniStack waits ten times as long.
LOG_SECONDS = 0.005


def apply(settings: LauncherSettings) -> None:
    """Route `python*` runtimes to workers that implement the Runtime API."""
    runtime = _ministack.module("core.lambda_runtime")
    service = _ministack.module("services.lambda_svc")
    sandbox = Sandbox(settings, service)
    worker_class = _worker_class(runtime, sandbox, Path(settings.root, "log", "functions.log"))
    choose_class, run_warm = runtime._worker_class_for, service._execute_function_warm
    make_environment = service._provided_worker_env
    make_code_directory = service._provided_runtime_code_dir
    linking = threading.Lock()

    def class_for(config: dict[str, Any]) -> Any:
        return worker_class if _is_python(config) else choose_class(config)

    def execute_warm(function: dict[str, Any], event: Any, request_id: str) -> Any:
        if _is_python(function.get("config") or function):
            return service._execute_function_provided_warm(function, event, request_id)
        return run_warm(function, event, request_id)

    def environment(config: dict[str, Any], code: str, port: int) -> dict[str, str]:
        if _is_python(config):
            return sandbox.environment(config, code, port)
        variables: dict[str, str] = make_environment(config, code, port)
        return variables

    def code_directory(archive: bytes) -> str:
        directory: str = make_code_directory(archive)
        bootstrap = Path(directory, "bootstrap")
        with linking:
            if not bootstrap.is_symlink() and not bootstrap.exists():
                # A symlink, because a fork while a copy is open for writing makes execve fail with
                # ETXTBSY.
                bootstrap.symlink_to(Path(settings.runtime, "bootstrap"))
        return directory

    runtime._PROVIDED_INIT_TIMEOUT = INIT_SECONDS
    runtime._worker_class_for = class_for
    service._execute_function_warm = execute_warm
    service._provided_worker_env = environment
    service._provided_runtime_code_dir = code_directory


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _worker_class(runtime: Any, sandbox: Sandbox, log: Path) -> Any:
    file = log.open("w", buffering=1)

    class PythonWorker(runtime.ProvidedWorker):  # type: ignore[misc]  # base class is untyped
        """A function process with its own process group and scratch directory."""

        scratch: Path | None = None

        def _spawn(self, init_timeout: float | None = None) -> None:
            try:
                super()._spawn(init_timeout)
            finally:
                self.scratch = sandbox.latest_scratch()

        def _build_handler_class(self, generation: int, pending: "queue.Queue[Any]") -> Any:
            handler = super()._build_handler_class(generation, pending)
            # Headers and body of a response are separate writes. With Nagle's algorithm the second
            # waits 40 ms for the acknowledgement of the first, in each invocation.
            handler.disable_nagle_algorithm = True
            return handler

        def _drain_stderr_bounded(
            self, first_line_wait: float = LOG_SECONDS, *rest: float, **options: float
        ) -> str:
            return str(super()._drain_stderr_bounded(first_line_wait, *rest, **options))

        def _pump_output(self, stream: Any, lines: "queue.Queue[str]") -> None:
            super()._pump_output(stream, _CopyingQueue(lines, file, self.func_name))

        def _teardown(self) -> None:
            _kill_group(self._proc)
            super()._teardown()
            self._drop_scratch()

        def _discard_tmpdir(self) -> None:
            super()._discard_tmpdir()
            self._drop_scratch()

        def _drop_scratch(self) -> None:
            scratch, self.scratch = self.scratch, None
            if scratch is not None:
                shutil.rmtree(scratch, ignore_errors=True)

    terminate = runtime._signal

    def terminate_group(process: Any) -> None:
        _kill_group(process)
        terminate(process)

    runtime._signal = terminate_group
    return PythonWorker


class _CopyingQueue:
    """A queue of log lines that also writes each line to a log file."""

    def __init__(self, lines: "queue.Queue[str]", file: TextIO, name: str) -> None:
        self._lines = lines
        self._file = file
        self._name = name

    def put_nowait(self, line: str) -> None:
        # The runtime client separates the lines of a traceback with carriage returns.
        self._file.write(f"{self._name}: {line}\n".replace("\r", "\n  "))
        self._lines.put_nowait(line)

    def get_nowait(self) -> str:
        return self._lines.get_nowait()


def _kill_group(process: Any) -> None:
    """Kill a worker and its child processes (ffmpeg), as Lambda does; ignore other processes."""
    if process is None or process.poll() is not None:
        return
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
