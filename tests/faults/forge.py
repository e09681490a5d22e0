"""A prefork server: it has imported everything and forks a worker for each connection.

    python -m tests.faults.forge SOCKET OWNERS     # a path, and JSON: port number -> server

Starting Python and importing the handlers, botocore and OpenAI's SDK takes seconds. A fork takes
milliseconds and can be killed in the same way. The server ends when its standard input is closed.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

from common.aws import clients
from tests.faults import worker


def main(path: str, owners: dict[str, str]) -> None:
    """Fork a worker for each connection."""
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps ended workers
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                worker.serve(connection, owners)
                os._exit(0)
            connection.close()


def warm_up() -> None:
    """Do once what every worker would do at start."""
    import openai
    import s3transfer.manager  # noqa: F401 - imported lazily by the functions
    from PIL import Image

    Image.init()
    clients.s3()
    with openai.OpenAI(api_key="none") as client:
        _ = client.responses, client.images
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), json.loads(sys.argv[2]))
