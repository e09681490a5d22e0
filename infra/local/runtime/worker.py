"""Entry point of function processes: watches the emulator and runs AWS's runtime client.

The process leads a process group, so that it is killed together with its child processes. If the
emulator dies (kill -9), the group is killed within a second.
"""

import os
import signal
import sys
import threading
import time


def kill_with(parent: int) -> None:
    """Kill this process group when `parent` is no longer the parent process."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Create a process group, watch the parent, and serve invocations."""
    os.setpgid(0, 0)
    threading.Thread(target=kill_with, args=(os.getppid(),), daemon=True).start()
    from awslambdaric.__main__ import main as serve

    serve(sys.argv)


if __name__ == "__main__":
    main()
