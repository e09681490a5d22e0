"""Entry point of the emulator's process: MiniStack, patched and guarded, on a loopback port.

`emulator.py` starts it. It reads settings as one line of JSON from standard input, writes
`ready <port>` to standard output when it serves requests, and stops on SIGTERM or when standard
input closes, which also happens when the parent process dies.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from infra.local.launcher_settings import ACCOUNT, REGION, LauncherSettings
from infra.local.loopback_guard import App, Message, Receive, Scope, Send, guarded

RESPONSE_SECONDS = 0.3


def main() -> None:
    """Serve until stopped, then exit immediately and kill all workers."""
    settings = LauncherSettings.loads(sys.stdin.readline())
    listener = _listen(settings.port)
    port = int(listener.getsockname()[1])
    _clean_environment(settings, port)
    asyncio.run(_serve(settings, listener, port))


def _listen(preferred: int | None) -> socket.socket:
    """Return a listening socket on the preferred port, or else on any free port."""
    for port in (preferred, 0):
        if port is None:
            continue
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no free TCP port on 127.0.0.1")


def _clean_environment(settings: LauncherSettings, port: int) -> None:
    """Set the environment for MiniStack, which reads its settings when it is imported."""
    root = Path(settings.root)
    scratch = root / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)  # function code of an earlier run
    scratch.mkdir()
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ
    }
    os.environ.clear()
    os.environ.update(inherited)
    os.environ.update(
        {
            "TMPDIR": str(scratch),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": settings.access_key_id,
            "AWS_SECRET_ACCESS_KEY": settings.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AUTH": "true",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(root / "s3"),
            "PERSIST_STATE": "0",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",  # do not use this machine's Docker
            "LOG_LEVEL": "INFO",
        }
    )


async def _serve(settings: LauncherSettings, listener: socket.socket, port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack

    from infra.local import patches

    if settings.patched:
        patches.apply(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_stop_with_parent, args=(loop, stop), daemon=True).start()
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    app: App = _announcing(guarded(ministack.app), port)

    async def stopped() -> None:
        await stop.wait()
        # Hypercorn's shutdown waits for requests that wait for functions, so exit without it.
        threading.Thread(target=_exit).start()

    await serve(app, config, shutdown_trigger=stopped)  # type: ignore[arg-type]  # ASGI scope


def _exit() -> None:
    """Kill all function processes and exit without waiting for other threads."""
    from infra.local import patches

    patches.stop_workers()
    time.sleep(RESPONSE_SECONDS)  # for responses in progress
    patches.stop_workers()  # processes that executions started in the meantime
    # MiniStack has threads that wait for up to an hour.
    os._exit(0)


def _stop_with_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)


def _announcing(app: App, port: int) -> App:
    """Wrap `app` to write `ready <port>` to standard output when its start-up is complete."""

    async def announcing(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                sys.stdout.write(f"ready {port}\n")
                sys.stdout.flush()

        await app(scope, receive, watch if scope["type"] == "lifespan" else send)

    return announcing


if __name__ == "__main__":
    main()
