"""Carries out one paid step in a fresh process and prints what is imported around its call.

Usage: python -m tests.support.imports_of_a_call FUNCTION PORT EVENT (JSON)

`before`: modules imported between the ledger's row and the connection to the vendor's port, and
how many seconds lie between the two. `after`: those imported from then until the result is kept.
"""

import importlib
import json
import sys
import time
import warnings
from typing import Any

from common import runtime
from common.database import attempts
from common.settings import GenerationSettings
from tests.support.gateway import Context
from tests.support.media_store import InMemoryMediaStore
from tests.support.vendors import sample_image


class Watch:
    """Notes imports from the ledger's row on."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.started = 0.0
        self.seconds = 0.0
        self.before: list[str] = []
        self.after: list[str] = []
        self.is_over = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Receive one audit event of the interpreter."""
        if not self.started or self.is_over:
            return
        if event == "import":
            (self.after if self.seconds else self.before).append(arguments[0])
        elif event == "socket.connect" and arguments[1][1] == self.port and not self.seconds:
            self.seconds = time.perf_counter() - self.started


def main(function: str, port: str, event: str) -> None:
    """Run the step."""
    watch, shelf = Watch(int(port)), _AnyPicture()
    insert, put = attempts.insert, shelf.put

    def watched_insert(*arguments: Any, **more: Any) -> Any:
        attempt = insert(*arguments, **more)
        watch.started = time.perf_counter()
        return attempt

    def watched_put(key: str, data: bytes, media_type: str) -> None:
        put(key, data, media_type)
        watch.is_over = True

    vars(attempts)["insert"], vars(shelf)["put"] = watched_insert, watched_put
    runtime.provide(GenerationSettings, store=shelf)
    handler = importlib.import_module(f"{function}.handler").handler
    sys.addaudithook(watch.hook)
    warnings.filterwarnings("ignore", "No application metrics")
    answer = handler(json.loads(event), Context())
    told = {"before": watch.before, "after": watch.after, "seconds": watch.seconds}
    print(json.dumps({**told, "answer": answer}))


class _AnyPicture(InMemoryMediaStore):
    def get(self, key: str) -> bytes:
        """Return the same picture for every key of one."""
        return sample_image().data if key.endswith(".png") else super().get(key)


if __name__ == "__main__":
    main(*sys.argv[1:])
