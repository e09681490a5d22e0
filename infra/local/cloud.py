"""One clone's local cloud from start to stop."""

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
Build = Callable[[State], Path]  # makes the cloud assembly; its directory
OFFLINE = Settings()


def say(text: str) -> None:
    """Print at once, also when the output is a file or a pipe."""
    print(text, flush=True)


@contextmanager
def running_cloud(
    root: Path = STATE_DIRECTORY,
    report: Report = say,
    build: Build | None = None,
    chosen: Settings = OFFLINE,
) -> Iterator["Cloud"]:
    """A deployed cloud for the length of the block; everything it started ends with it.

    Without `chosen` settings it is offline, whatever `.env` says. Raises LocalCloudError if this
    clone's cloud runs already.
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
    """The running servers and how to reach them."""

    def __init__(self, postgres: Postgres, emulator: Emulator, link: Connection) -> None:
        self.postgres = postgres
        self._emulator = emulator
        self.connection = link

    @property
    def logs(self) -> Path:
        """Folder of all logs: of the functions, the emulator and the database."""
        return self._emulator.log.parent

    def watch(self) -> None:
        """Return never; raise LocalCloudError when a server ends by itself."""
        while self.postgres.running and self._emulator.running:
            time.sleep(0.5)
        name = "The emulator" if self.postgres.running else "PostgreSQL"
        raise LocalCloudError(f"{name} ended unexpectedly; see {self._emulator.log.parent}.")


def already_running(root: Path) -> str:
    """Words for a second `up` in the same clone."""
    pid = Lock(root).owner()
    link = connection.current(root)
    if link is None:
        return f"The local cloud of this clone is just starting (process {pid}). Wait for it."
    return (
        f"The local cloud of this clone runs already (process {pid}): {link.base_url}\n"
        "`make demo` uses it; `python -m infra.local down` stops it."
    )


def deploy_stack(link: Connection, directory: Path, report: Report, chosen: Settings) -> Connection:
    """Deploy an assembly to a running emulator; the connection with the stack's outputs."""
    started = time.monotonic()
    stack = Assembly.load(directory)
    outputs = deploy(stack, link, _progress_line())
    link = Connection(
        link.endpoint, link.access_key_id, link.secret_access_key, stack.stack, outputs
    )
    keys = put_provider_keys(link, chosen.keys)
    report(f"Stack {stack.stack} deployed ({time.monotonic() - started:.1f} s).")
    if keys:
        report(f"Provider keys put into the secret: {', '.join(keys)}.")
    for name, value in sorted(chosen.stage.items()):
        report(f"Set by .env or the environment: {name} = {value}.")
    return link


def sweep(link: Connection, report: Report) -> None:
    """Let runs that the end of the last cloud left behind go on or end, however young they are.

    A failure is reported and no more: the scheduled sweeps come to the same runs.
    """
    name = link.outputs.get("SweeperFunctionName")
    if name is None:
        return
    event = json.dumps({"source": "start", "older_than_seconds": 0})
    try:
        answer = link.client("lambda").invoke(FunctionName=name, Payload=event)
        text = answer["Payload"].read().decode()
    except (BotoCoreError, ClientError) as error:
        report(f"Warning: the sweeper did not answer ({error}). It runs again every few minutes.")
        return
    if "FunctionError" in answer:
        report(f"Warning: the sweeper failed: {text[:500]}\nIt runs again every few minutes.")


def _start(
    state: State, lock: Lock, cleanup: ExitStack, report: Report, build: Build, chosen: Settings
) -> Cloud:
    postgres, emulator = Postgres(state), Emulator(state)
    cleanup.callback(postgres.stop)
    cleanup.callback(emulator.stop)
    pool = cleanup.enter_context(ThreadPoolExecutor(3))
    keep_open = (lock.descriptor,)
    report("Starting PostgreSQL and the emulator, preparing the template ...")
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
    """Resources done of all, on one line; nothing when the output is not a terminal."""

    def show(done: int, total: int) -> None:
        if sys.stdout.isatty():
            end = "\r\033[K" if done == total else ""
            sys.stdout.write(f"\r  {done} of {total} resources{end}")
            sys.stdout.flush()

    return show


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind like Ctrl-C does, so that the servers are stopped."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    # What is ignored stays so: `nohup make up` goes on when its terminal closes.
    heard = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in heard:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
