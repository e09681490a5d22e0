"""Runs inside every function process: ties it to the emulator, then AWS's runtime client.

The process leads a group of its own, so that it is killed together with the programs that it
started. If the emulator dies without a word (kill -9), the group ends itself within a second.
"""

import os
import signal
import sys
import threading
import time


def end_with(parent: int) -> None:
    """Kill this process group once `parent` is no longer the parent process."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Become a group leader, start the watch, serve invocations until the end."""
    os.setpgid(0, 0)
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    from awslambdaric.__main__ import main as serve

    serve(sys.argv)


if __name__ == "__main__":
    main()
