"""One worker: a warm Lambda environment with every function of the pipeline, in its own process.

It is forked by `forge`, serves one connection, and dies by SIGKILL where a strike says so. The
environment is that of the deployed functions. Lines of JSON go over the connection:

in    {strikes, naive}                     the first line: what this worker is
      {function, event, state, ahead, execution}      an invocation, `ahead` seconds in the future
out   {passed: [name of a passage], ahead, and either answer or error: name of the class}
      {struck: name of the passage}        the last line before a SIGKILL

A `naive` worker knows no protocol: it makes its calls anew whenever it is asked. It is the control
that shows what the others would be caught at.
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
    """What Lambda says of itself."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "worker"


class Clock:
    """The time that the worker sees: it stands still, but for what is slept and what the task says.

    So every run does the same, however busy the machine is.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._doze, began, began_monotonic = time.sleep, time.time(), time.monotonic()
        time.time = lambda: began + self.ahead
        time.monotonic = lambda: began_monotonic + self.ahead
        time.sleep = self._sleep  # type: ignore[assignment]  # nobody sleeps for anything but numbers

    def _sleep(self, seconds: float) -> None:
        if seconds <= _DOZE_SECONDS:  # so does `subprocess` until a program has ended
            self._doze(seconds)
        else:
            self.ahead += seconds


def serve(connection: socket.socket, owners: dict[str, str]) -> None:
    """Answer invocations until the other side closes the connection."""
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
        forget_the_protocol()
    # The sweeper's call of another function, which Lambda would hand over.
    lambda_invoke.invoke_async = _send
    for line in stream:
        task = json.loads(line)
        clock.ahead, ports.state, start = task["ahead"], task["state"], len(ports.passed)
        # The machine that runs the states plays Step Functions for the sweeper too.
        executions.status = partial(_told, task["execution"])
        try:
            said = {"answer": HANDLERS[task["function"]](task["event"], Context())}
        except Exception as error:
            said = {"error": type(error).__name__, "detail": str(error)}
        say(passed=ports.passed[start:], ahead=clock.ahead, **said)


def _send(function_name: str, event: Mapping[str, Any]) -> None:
    HANDLERS[function_name](dict(event), Context())


def _told(execution: str, _machine: str, _run: str) -> str:
    return execution


def forget_the_protocol() -> None:
    """Let every worker make its calls, whatever the ledger says of those before."""

    def pay(self: PaidCalls, charge: Charge, make: Any, record: Any, trace: Any = None) -> None:
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
        facts = make("")
        with self.database.transaction() as cursor:
            record(cursor, attempt, facts)

    paid_calls.PaidCalls.execute = pay  # type: ignore[method-assign]  # the control
