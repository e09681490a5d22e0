"""The commands of `python -m infra.local`."""

import os
import shutil
import signal
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import assembly, cloud, connection, demo, inbox_drop, settings
from infra.local.api_client import Api
from infra.local.connection import STATE_DIRECTORY, Connection
from infra.local.errors import LocalCloudError
from infra.local.state import Lock, State

STOP_SECONDS = 60.0


def run(name: str) -> int:
    """Run a command and return its exit status.

    Raises LocalCloudError, OSError or KeyboardInterrupt.
    """
    commands = {
        "up": up,
        "demo": make_demo,
        "drop": drop_file,
        "deploy": deploy,
        "down": down,
        "clean": clean,
    }
    try:
        return commands[name]()
    except (ClientError, BotoCoreError) as error:
        log = STATE_DIRECTORY / "log" / "emulator.log"
        raise LocalCloudError(
            f"The emulator returned an error: {error}\nSee its log: {log}"
        ) from error


def up() -> int:
    """Run the local cloud until Ctrl-C."""
    with cloud.running_cloud(chosen=settings.configured()) as running:
        try:
            welcome(running.connection)
            running.watch()
        except KeyboardInterrupt:
            print("\nStopping ...", flush=True)
    print("Stopped. Data is kept in .local until `make clean`.")
    return 0


def welcome(link: Connection, directory: Path = STATE_DIRECTORY) -> None:
    """Print how to use the cloud, then resume runs that the last stop interrupted.

    The key is minted first, because resumed runs can keep a small machine busy for a while.
    """
    key = demo.mint_key(link, directory)
    print(_instructions(link, key), flush=True)
    cloud.sweep(link, cloud.say)


def make_demo() -> int:
    """Make a video on the running cloud, or on one that is started for it."""
    options = demo.VideoOptions.from_environment(os.environ)
    link = connection.current()
    if link is not None:
        print(f"Using the running local cloud: {link.base_url}", flush=True)
        return demo.make_video(_api(link), options)
    with cloud.running_cloud(chosen=settings.configured()) as running:
        api = _api(running.connection)
        cloud.sweep(running.connection, cloud.say)
        return demo.make_video(api, options)


def drop_file() -> int:
    """Upload a file to the inbox of the running cloud and wait for the result."""
    return inbox_drop.run(_running(), os.environ)


def deploy() -> int:
    """Build changes and update the running stack."""
    link = _running()
    chosen = settings.configured()
    directory = assembly.build(State.open(STATE_DIRECTORY), chosen.stage)
    cloud.deploy_stack(link, directory, cloud.say, chosen).save(STATE_DIRECTORY)
    return 0


def down() -> int:
    """Stop the running cloud and wait until its processes have ended."""
    lock = Lock(STATE_DIRECTORY)
    pid = lock.owner()
    if pid is None:
        print("No local cloud is running in this clone.")
        return 0
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        print("The main process has ended; waiting for its servers.")
    deadline = time.monotonic() + STOP_SECONDS
    while lock.owner() is not None:
        if time.monotonic() > deadline:
            raise LocalCloudError(f"Process {pid} did not stop within {STOP_SECONDS:.0f} s.")
        time.sleep(0.2)
    print("Stopped.")
    return 0


def clean() -> int:
    """Stop the running cloud and delete the state directory."""
    down()
    if STATE_DIRECTORY.exists():
        shutil.rmtree(STATE_DIRECTORY)
    print(f"Removed {STATE_DIRECTORY}.")
    return 0


def _running() -> Connection:
    link = connection.current()
    if link is None:
        raise LocalCloudError("No local cloud is running in this clone. Start one with `make up`.")
    return link


def _api(link: Connection) -> Api:
    key = demo.mint_key(link, STATE_DIRECTORY)
    if key is None:
        raise LocalCloudError(
            "No API key could be minted, so no video was created. Nothing was charged. Try again."
        )
    return Api(link.base_url, key)


def _instructions(link: Connection, key: str | None) -> str:
    lines = [
        "",
        f"Base URL  {link.base_url}",
        f"Key       {key or 'none yet; `make key` mints one'}",
        "",
        *demo.curl_lines(
            link.base_url, key or "<key>", '{"prompt": "A fox learns to sail"}', "<id>"
        ),
        "",
        "Make a video from a file:  make drop FILE=kite.json   or   FILE=me.jpg PROMPT='A kite'",
        f"AWS endpoint: {link.endpoint}. Stop with Ctrl-C; data is kept in .local.",
    ]
    return "\n".join(lines)
