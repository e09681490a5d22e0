"""Run a server that ends when its starter ends, however that happens.

`tether.py SIGNAL GRACE ARGV...` starts ARGV and keeps standard input open. The starter holds the
other end of that pipe. When the starter closes it, or dies (kill -9 included), the server gets
SIGNAL, and SIGKILL after GRACE seconds. A pipe works on every system and has no race, which
PR_SET_PDEATHSIG (Linux, per thread, lost when the user changes) and polling do not offer.

Runs as a plain script with no imports from the project, so that it starts in a few milliseconds.
"""

import os
import select
import signal
import subprocess
import sys


def main() -> int:
    """Supervise one server; the exit status is the server's."""
    stop_signal, grace = int(sys.argv[1]), float(sys.argv[2])
    asked_to_stop, ask = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ask, b"."))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL) as server:
        while server.poll() is None:
            ready, _, _ = select.select([sys.stdin, asked_to_stop], [], [], 0.5)
            if ready:
                server.send_signal(stop_signal)
                try:
                    server.wait(grace)
                except subprocess.TimeoutExpired:
                    server.kill()
        return server.returncode


if __name__ == "__main__":
    sys.exit(main())
