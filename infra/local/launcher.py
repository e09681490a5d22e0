"""The emulator's process: MiniStack's app, patched and guarded, on a loopback port.

Started by `emulator.py`. Reads one JSON line of settings from standard input, writes
`ready <port>` to standard output once requests are served, and stops on SIGTERM or when standard
input closes, which the kernel does when the starter dies.
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

END_SECONDS = 0.3


def main() -> None:
    """Serve until told to stop, then end at once, workers included."""
    settings = LauncherSettings.loads(sys.stdin.readline())
    listener = _listen(settings.port)
    port = int(listener.getsockname()[1])
    _clean_environment(settings, port)
    asyncio.run(_serve(settings, listener, port))


def _listen(preferred: int | None) -> socket.socket:
    """A bound socket: no moment passes between finding a free port and owning it."""
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
    """Before MiniStack is imported, since it reads its settings at import."""
    root = Path(settings.root)
    scratch = root / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)  # the functions' code of an earlier run
    scratch.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
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
            "DOCKER_HOST": "unix:///nonexistent",  # this machine's Docker is none of our business
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
    threading.Thread(target=_stop_with_starter, args=(loop, stop), daemon=True).start()
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    app: App = _announcing(guarded(ministack.app), port)

    async def stopped() -> None:
        await stop.wait()
        # Requests that wait for a function would hold up the server's end for as long as that runs.
        threading.Thread(target=_end).start()  # no daemon: the process ends with it

    await serve(app, config, shutdown_trigger=stopped)  # type: ignore[arg-type]  # ASGI scope


def _end() -> None:
    """End every function and this process, whatever other threads are waiting for."""
    from infra.local import patches

    patches.stop_workers()
    time.sleep(END_SECONDS)  # for the answers that are under way
    patches.stop_workers()  # what an execution started in the meantime
    # MiniStack keeps threads that wait for up to an hour; nothing of theirs is worth waiting for.
    os._exit(0)


def _stop_with_starter(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)


def _announcing(app: App, port: int) -> App:
    """`app`, saying `ready <port>` on standard output once its start-up is complete."""

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
