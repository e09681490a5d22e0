"""A worker: a process that imitates a warm Lambda environment with every function of the pipeline.

It is forked by `forge`, serves one connection, and is killed with SIGKILL by a strike. Its
environment is that of the deployed functions. The protocol is JSON lines:

in    {strikes, naive}                     the first line: the settings of the worker
      {function, event, state, ahead, execution}      an invocation, `ahead` seconds in the future
out   {passed: [name of a passage], ahead, and either answer or error: name of the class}
      {struck: name of the passage}        the last line before a SIGKILL

A `naive` worker ignores the ledger and makes its calls again on every invocation. It is the control
that shows which errors the judge detects.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from clip import handler as clip
from common.application.billing import paid_calls
from common.application.billing.charge import Charge
from common.application.billing.paid_calls import PaidCalls
from common.aws import executions, lambda_invoke
from common.database import attempts
from common.domain import ids
from finish import handler as finish
from image import handler as image
from merge import handler as merge
from speech import handler as speech
from story import handler as story
from sweeper import handler as sweeper
from tests.faults.ports import Ports, Strike

_DOZE_SECONDS = 0.05
HANDLERS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "story": story.handler,
    "image": image.handler,
    "speech": speech.handler,
    "clip": clip.handler,
    "merge": merge.handler,
    "finish": finish.handler,
    "sweeper": sweeper.handler,
}


class Context:
    """A Lambda context."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "worker"


class Clock:
    """The worker's clock, which advances only by sleeps and by the offsets of tasks.

    Runs are therefore deterministic on a busy machine.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._doze, began, began_monotonic = time.sleep, time.time(), time.monotonic()
        time.time = lambda: began + self.ahead
        time.monotonic = lambda: began_monotonic + self.ahead
        time.sleep = self._sleep  # type: ignore[assignment]  # sleeps are always numbers

    def _sleep(self, seconds: float) -> None:
        if seconds <= _DOZE_SECONDS:  # `subprocess` polls with short sleeps
            self._doze(seconds)
        else:
            self.ahead += seconds


def serve(connection: socket.socket, owners: dict[str, str]) -> None:
    """Handle invocations until the peer closes the connection."""
    stream = connection.makefile("rw", encoding="utf-8")
    options = json.loads(stream.readline())

    def say(**line: Any) -> None:
        stream.write(json.dumps(line) + "\n")
        stream.flush()

    clock = Clock()
    strikes = [Strike(**strike) for strike in options["strikes"]]
    ports = Ports(strikes, owners)
    ports.open(lambda name: say(struck=name))
    if options["naive"]:
        ignore_ledger()
    # The sweeper's invocation of another function.
    lambda_invoke.invoke_async = _send
    for line in stream:
        task = json.loads(line)
        clock.ahead, ports.state, start = task["ahead"], task["state"], len(ports.passed)
        # The state machine interpreter imitates Step Functions for the sweeper too.
        executions.status = partial(_execution_status, task["execution"])
        try:
            said = {"answer": HANDLERS[task["function"]](task["event"], Context())}
        except Exception as error:
            said = {"error": type(error).__name__, "detail": str(error)}
        say(passed=ports.passed[start:], ahead=clock.ahead, **said)


def _send(function_name: str, event: Mapping[str, Any]) -> None:
    HANDLERS[function_name](dict(event), Context())


def _execution_status(execution: str, _machine: str, _run: str) -> str:
    return execution


def ignore_ledger() -> None:
    """Make the worker repeat its calls regardless of the ledger."""

    def execute(
        self: PaidCalls, charge: Charge, perform: Any, record: Any, reconcile: Any = None
    ) -> None:
        with self.database.transaction() as cursor:
            attempt = attempts.insert(
                cursor,
                charge.step,
                attempt=attempts.next_attempt(cursor, charge.step),
                token=ids.new("att"),
                provider=charge.model.provider,
                model=charge.model.model,
                estimated_usd=charge.estimated_usd,
                lease_seconds=1,
                possible_duplicate=False,
            )
        result = perform("")
        with self.database.transaction() as cursor:
            record(cursor, attempt, result)

    paid_calls.PaidCalls.execute = execute  # type: ignore[method-assign]  # the control
