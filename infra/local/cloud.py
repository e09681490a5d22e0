"""Lifecycle of a clone's local cloud."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import assembly, connection, preflight
from infra.local.connection import STATE_DIRECTORY, Connection
from infra.local.deploy import Assembly, Progress, deploy
from infra.local.emulator import Emulator
from infra.local.errors import LocalCloudError
from infra.local.postgres import Postgres
from infra.local.settings import Settings, put_provider_keys
from infra.local.state import Lock, State

Result = TypeVar("Result")
Report = Callable[[str], None]
Build = Callable[[State], Path]  # builds the cloud assembly and returns its directory
OFFLINE = Settings()


def say(text: str) -> None:
    """Print without buffering."""
    print(text, flush=True)


@contextmanager
def running_cloud(
    root: Path = STATE_DIRECTORY,
    report: Report = say,
    build: Build | None = None,
    chosen: Settings = OFFLINE,
) -> Iterator["Cloud"]:
    """Run a deployed cloud for the duration of the block, and stop its servers afterwards.

    By default it uses offline providers, regardless of `.env`. Raises LocalCloudError if this
    clone's cloud is already running.
    """
    preflight.check(root)
    state = State.open(root)
    lock = Lock(root)
    if not lock.acquire():
        raise LocalCloudError(already_running(root))
    with ExitStack() as cleanup:
        cleanup.callback(lock.release)
        cleanup.callback(connection.forget, root)
        cleanup.enter_context(_signals_as_exit())
        template = build or partial(assembly.build, changes=chosen.stage)
        yield _start(state, lock, cleanup, report, template, chosen)


class Cloud:
    """The running servers and the connection to them."""

    def __init__(self, postgres: Postgres, emulator: Emulator, link: Connection) -> None:
        self.postgres = postgres
        self._emulator = emulator
        self.connection = link

    @property
    def logs(self) -> Path:
        """Directory of the logs of the functions, the emulator and PostgreSQL."""
        return self._emulator.log.parent

    def watch(self) -> None:
        """Block until a server ends unexpectedly, then raise LocalCloudError."""
        while self.postgres.running and self._emulator.running:
            time.sleep(0.5)
        name = "The emulator" if self.postgres.running else "PostgreSQL"
        raise LocalCloudError(f"{name} ended unexpectedly; see {self._emulator.log.parent}.")


def already_running(root: Path) -> str:
    """Return the error message for a second `up` in the same clone."""
    pid = Lock(root).owner()
    link = connection.current(root)
    if link is None:
        return f"The local cloud of this clone is starting (process {pid}). Try again in a moment."
    return (
        f"The local cloud of this clone is already running (process {pid}): {link.base_url}\n"
        "Use it with `make demo`, or stop it with `make down`."
    )


def deploy_stack(link: Connection, directory: Path, report: Report, chosen: Settings) -> Connection:
    """Deploy an assembly to a running emulator; return the connection with the stack's outputs."""
    started = time.monotonic()
    stack = Assembly.load(directory)
    outputs = deploy(stack, link, _progress_line())
    link = Connection(
        link.endpoint, link.access_key_id, link.secret_access_key, stack.stack, outputs
    )
    keys = put_provider_keys(link, chosen.keys)
    report(f"Stack {stack.stack} deployed ({time.monotonic() - started:.1f} s).")
    if keys:
        report(f"Provider keys stored in the secret: {', '.join(keys)}.")
    for name, value in sorted(chosen.stage.items()):
        report(f"Setting from .env or the environment: {name} = {value}")
    return link


def sweep(link: Connection, report: Report) -> None:
    """Invoke the sweeper to resume or end runs that the last stop interrupted, of any age.

    A failure is only reported, because the scheduled sweeps cover the same runs.
    """
    name = link.outputs.get("SweeperFunctionName")
    if name is None:
        return
    event = json.dumps({"source": "start", "older_than_seconds": 0})
    try:
        response = link.client("lambda").invoke(FunctionName=name, Payload=event)
        text = response["Payload"].read().decode()
    except (BotoCoreError, ClientError) as error:
        report(f"Warning: the sweeper did not respond ({error}). It runs again every few minutes.")
        return
    if "FunctionError" in response:
        report(f"Warning: the sweeper failed: {text[:500]}\nIt runs again every few minutes.")


def _start(
    state: State, lock: Lock, cleanup: ExitStack, report: Report, build: Build, chosen: Settings
) -> Cloud:
    postgres, emulator = Postgres(state), Emulator(state)
    cleanup.callback(postgres.stop)
    cleanup.callback(emulator.stop)
    pool = cleanup.enter_context(ThreadPoolExecutor(3))
    keep_open = (lock.descriptor,)
    report("Starting PostgreSQL and the emulator, building the template ...")
    template = pool.submit(_timed, lambda: build(state))
    database = pool.submit(_timed, lambda: postgres.start(keep_open))
    emulation = pool.submit(_timed, lambda: emulator.start(postgres.password, keep_open))
    seconds, _ = database.result()
    report(f"PostgreSQL {postgres.version} on port {postgres.port} ({seconds:.1f} s).")
    seconds, _ = emulation.result()
    report(f"Emulator on port {emulator.port} ({seconds:.1f} s).")
    seconds, directory = template.result()
    report(f"Template ready ({seconds:.1f} s).")
    link = Connection(emulator.url, emulator.access_key_id, emulator.secret_access_key)
    link = deploy_stack(link, directory, report, chosen)
    link.save(state.root)
    return Cloud(postgres, emulator, link)


def _timed(action: Callable[[], Result]) -> tuple[float, Result]:
    started = time.monotonic()
    result = action()
    return time.monotonic() - started, result


def _progress_line() -> Progress:
    """Return a callback that shows progress on one line, on a terminal only."""

    def show(done: int, total: int) -> None:
        if sys.stdout.isatty():
            end = "\r\033[K" if done == total else ""
            sys.stdout.write(f"\r  {done} of {total} resources{end}")
            sys.stdout.flush()

    return show


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that the servers are stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    # Ignored signals stay ignored, so that `nohup make up` survives its terminal.
    replaced = {
        number: handler for number, handler in handlers.items() if handler != signal.SIG_IGN
    }
    for number in replaced:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
