"""One worker: does every step of a run in turn, and dies by SIGKILL at a chosen point.

All input and output of the steps passes three ports: HTTP to providers, S3, and SQL. Each use of
one is a point, before it and after it. A run that is killed at point n is what a Lambda is whose
environment is taken away there.

    python -m tests.faults.worker VIDEO_ID RUN_ID KILL_AT [naive]     # 0: live to the end

A `naive` worker knows no protocol: it makes its calls anew whenever it starts. It is the control
that shows what the others would be caught at.

The environment is that of the deployed functions. Prints the points passed, one a line, and last
how the run ended.
"""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from common import database as database_module
from common import generation, ids
from common.database import Database, jobs, videos
from common.errors import NotAccepted, VideoError
from common.paid import Charge, Ledger
from common.storage.s3 import S3MediaStore


class Points:
    """Counts the points, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.passed = 0

    def at(self, name: str) -> None:
        """Pass a point, or die there."""
        self.passed += 1
        print(f"{self.passed} {name}", flush=True)
        if self.passed == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Put a point before and after every use of a port."""

        @functools.wraps(call)
        def pointed(*arguments: Any, **named: Any) -> Any:
            self.at(f"before {name}")
            result = call(*arguments, **named)
            self.at(f"after {name}")
            return result

        return pointed


def open_ports(points: Points) -> None:
    """Put points around the three ports."""
    for method in ("put", "put_file", "get", "get_file"):
        real = getattr(S3MediaStore, method)
        setattr(S3MediaStore, method, points.around(f"s3 {method}", real))
    requests.Session.send = points.around("http", requests.Session.send)  # type: ignore[method-assign]  # a point around it
    _open_openai(points)

    class PointedCursor(database_module.Cursor):
        """A cursor with a point around each statement."""

        def execute(self, query: Any, vars: Any = None) -> Any:  # noqa: A002 - psycopg2's name
            return points.around("sql", super().execute)(query, vars)

    database_module.Cursor = PointedCursor  # type: ignore[misc]  # what transactions make cursors of
    close = Database.transaction

    @functools.wraps(close)
    def transaction(self: Database) -> Any:
        return _Committed(points, close(self))

    Database.transaction = transaction  # type: ignore[method-assign]  # a point around the commit


class _Committed:
    """A transaction with a point before and after its end."""

    def __init__(self, points: Points, real: Any) -> None:
        self.points = points
        self.real = real

    def __enter__(self) -> Any:
        return self.real.__enter__()

    def __exit__(self, *error: Any) -> Any:
        self.points.at("before sql commit")
        result = self.real.__exit__(*error)
        self.points.at("after sql commit")
        return result


def _open_openai(points: Points) -> None:
    import httpx2

    httpx2.HTTPTransport.handle_request = points.around(  # type: ignore[method-assign]  # a point around it
        "http", httpx2.HTTPTransport.handle_request
    )


class Context:
    """What Lambda says of itself."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "worker"


def invoke(handler: Callable[..., Any], event: dict[str, Any]) -> dict[str, Any]:
    """Invoke a step as the state machine does: again only if it was certainly not accepted."""
    for _ in range(4):
        try:
            answer: dict[str, Any] = handler(event, Context())
        except NotAccepted:
            answer = {"status": "waiting"}
        if answer.get("status") != "waiting":
            return answer
        time.sleep(0.05)
    return dict(handler(event, Context()))


def run(video_id: str, run_id: str) -> str:
    """Do all steps of the run; return how it ended."""
    from clip import handler as clip
    from finish import handler as finish
    from image import handler as image
    from merge import handler as merge
    from story import handler as story

    event = {"run_id": run_id, "video_id": video_id}
    try:
        scenes = invoke(story.handler, event)["scenes"]
        for scene in scenes:
            invoke(image.handler, {**event, "scene": scene})
        for scene in scenes:
            of_scene = {**event, "scene": scene}
            invoke(clip.handler, {**of_scene, "action": "start"})
            while True:
                answer = invoke(clip.handler, {**of_scene, "action": "check"})
                if answer["status"] == "succeeded":
                    break
                time.sleep(0.05)
            invoke(clip.handler, {**of_scene, "action": "collect"})
        invoke(merge.handler, event)
        invoke(finish.handler, {**event, "action": "finish"})
    except VideoError as error:
        invoke(finish.handler, {**event, "action": "fail", "error": type(error).__name__})
    with generation.database().transaction() as cursor:
        video = videos.get(cursor, video_id)
    return f"{video.status} {video.error['code'] if video.error else ''}".strip()


def forget_the_protocol() -> None:
    """Let every worker make its calls, whatever the ledger says of those before."""

    def pay(self: Ledger, charge: Charge, make: Any, record: Any, trace: Any = None) -> None:
        with self.database.transaction() as cursor:
            before = jobs.latest(cursor, charge.step)
            attempt = jobs.insert(
                cursor,
                charge.step,
                attempt=before.attempt + 1 if before else 1,
                token=ids.new("att"),
                provider=charge.model.provider,
                model=charge.model.model,
                estimated_usd=charge.estimated_usd,
                lease_seconds=1,
                possible_duplicate=False,
            )
        facts = make("")
        with self.database.transaction() as cursor:
            record(cursor, attempt, facts)

    Ledger.pay = pay  # type: ignore[method-assign]  # the control


def main() -> None:
    """Work; the last line says how it ended."""
    video_id, run_id, kill_at, *naive = sys.argv[1:]
    if naive:
        forget_the_protocol()
    open_ports(Points(int(kill_at)))
    print(f"ended {run(video_id, run_id)}", flush=True)


if __name__ == "__main__":
    main()
