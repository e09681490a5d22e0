"""The emulator's interpreter of state machines, in this process and without its waits."""

import importlib
import json
from typing import Any

from tests.faults.machine import Ended
from tests.infra.paths import Answers, Walked
from tests.infra.template import Json

engine: Any = importlib.import_module("ministack.services.stepfunctions")  # carries no types


def walk(definition: Json, case: Json) -> Walked:
    """Run one execution; each task's function has the name of its state."""
    calls: list[Json] = []
    answers = Answers(case)

    def call(function: str, event: Json) -> Json:
        state = function.rpartition(":")[2]
        calls.append([state, event])
        answer = answers.next(state)
        if "fails" in answer:
            raise engine._ExecutionError(answer["fails"], "refused")
        return json.loads(json.dumps(answer))

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
    kept = engine._call_lambda, engine._SFN_WAIT_SCALE, engine.time.sleep
    engine._call_lambda, engine._SFN_WAIT_SCALE = call, 0
    engine.time.sleep = lambda _seconds: None
    try:
        engine._run_execution(execution)
    finally:
        engine._call_lambda, engine._SFN_WAIT_SCALE, engine.time.sleep = kept
    if record["status"] == "SUCCEEDED":
        return Walked(Ended("SUCCEEDED", json.loads(record["output"])), calls, [])
    return Walked(Ended("FAILED", error=record["error"]), calls, [])
