"""A supervisor that stops a server when the supervisor's parent process ends.

`parent_watch.py SIGNAL GRACE ARGV...` starts ARGV and reads standard input, a pipe from the parent.
When the parent closes the pipe or dies (including by SIGKILL), the server gets SIGNAL, and SIGKILL
after GRACE seconds. A pipe is portable and has no race condition, unlike polling and
PR_SET_PDEATHSIG (Linux only, per thread, lost when the user changes).

The script imports nothing from the project, so that it starts in a few milliseconds.
"""

import os
import select
import signal
import subprocess
import sys


def main() -> int:
    """Supervise a server and return its exit status."""
    stop_signal, grace = int(sys.argv[1]), float(sys.argv[2])
    stop_reader, stop_writer = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stop_writer, b"."))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL) as server:
        while server.poll() is None:
            ready, _, _ = select.select([sys.stdin, stop_reader], [], [], 0.5)
            if ready:
                server.send_signal(stop_signal)
                try:
                    server.wait(grace)
                except subprocess.TimeoutExpired:
                    server.kill()
        return server.returncode


if __name__ == "__main__":
    sys.exit(main())
