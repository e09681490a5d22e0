"""A stand-in for AWS Step Functions whose executions run nothing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Answer = tuple[int, dict[str, Any]]


@dataclass
class StepFunctions:
    """Executions by name, with input and status. With `down`, every call returns 503."""

    url: str = ""
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    traces: dict[str, str | None] = field(default_factory=dict)  # the trace id of each start
    down: bool = False
    lock: Lock = field(default_factory=Lock)

    def start(self, body: dict[str, Any]) -> Answer:
        """Handle StartExecution, which is idempotent for the same name and input while it runs."""
        name = body["name"]
        before = self.executions.get(name)
        if before and (before["status"] != "RUNNING" or before["input"] != body["input"]):
            return 400, {"__type": "ExecutionAlreadyExists"}
        if not before:
            self.started.append(name)
            self.executions[name] = {"status": "RUNNING", "input": body["input"]}
        return 200, {"executionArn": name, "startDate": 0}

    def describe(self, body: dict[str, Any]) -> Answer:
        """Handle DescribeExecution."""
        execution = self.executions.get(body["executionArn"].rpartition(":")[2])
        if not execution:
            return 400, {"__type": "ExecutionDoesNotExist"}
        return 200, {"executionArn": "x", "stateMachineArn": "x", "startDate": 0, **execution}

    def stop(self, body: dict[str, Any]) -> Answer:
        """Handle StopExecution; an ended execution is unchanged."""
        execution = self.executions.get(body["executionArn"].rpartition(":")[2])
        if not execution:
            return 400, {"__type": "ExecutionDoesNotExist"}
        if execution["status"] == "RUNNING":
            execution["status"] = "ABORTED"
        return 200, {"stopDate": 0}


@contextmanager
def serve() -> Iterator[StepFunctions]:
    """Serve on a free port within the context."""
    state = StepFunctions()
    calls: dict[str, Callable[[dict[str, Any]], Answer]] = {
        "AWSStepFunctions.StartExecution": state.start,
        "AWSStepFunctions.DescribeExecution": state.describe,
        "AWSStepFunctions.StopExecution": state.stop,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            call = calls.get(self.headers.get("X-Amz-Target", ""))
            with state.lock:
                if state.down:
                    status, answer = 503, {"__type": "ServiceUnavailable"}
                elif call is None:
                    status, answer = 400, {"__type": "UnknownOperationException"}
                else:
                    status, answer = call(body)
                    if call == state.start:
                        state.traces.setdefault(body["name"], self.headers["X-Amzn-Trace-Id"])
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Disable logging."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256  # accept many concurrent connections

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
