"""The emulator's state machine interpreter, in this process and without waits."""

import importlib
import json
from typing import Any

from tests.faults.machine import ExecutionResult
from tests.infra.paths import TaskResponses, Trace
from tests.infra.template import Json

engine: Any = importlib.import_module("ministack.services.stepfunctions")  # untyped


def interpret(definition: Json, case: Json) -> Trace:
    """Run one execution. Each task invokes a function named after its state."""
    calls: list[Json] = []
    responses = TaskResponses(case)

    def call(function: str, event: Json) -> Json:
        state = function.rpartition(":")[2]
        calls.append([state, event])
        response = responses.next(state)
        if "failure" in response:
            raise engine._ExecutionError(response["failure"], "refused")
        return json.loads(json.dumps(response))

    machine, execution = "arn:machine", "arn:execution"
    engine._state_machines[machine] = {"name": "machine", "definition": json.dumps(definition)}
    record: Json = {
        "stateMachineArn": machine,
        "name": "run_1",
        "startDate": "",
        "status": "RUNNING",
        "input": json.dumps(case["input"]),
        "events": [],
        "sync": True,
    }
    engine._executions[execution] = record
    originals = engine._call_lambda, engine._SFN_WAIT_SCALE, engine.time.sleep
    engine._call_lambda, engine._SFN_WAIT_SCALE = call, 0
    engine.time.sleep = lambda _seconds: None
    try:
        engine._run_execution(execution)
    finally:
        engine._call_lambda, engine._SFN_WAIT_SCALE, engine.time.sleep = originals
    if record["status"] == "SUCCEEDED":
        return Trace(ExecutionResult("SUCCEEDED", json.loads(record["output"])), calls, [])
    return Trace(ExecutionResult("FAILED", error=record["error"]), calls, [])
