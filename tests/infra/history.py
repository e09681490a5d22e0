"""A static interpreter of the state machine that counts history events and state sizes.

It supports the subset that `statemachine/video.asl.json` uses: Task, Map, Wait, Choice, Pass,
Succeed, Fail and JSONPath.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.infra.template import Json

# Events in an execution's history, from "Logging and history events" for Standard workflows.
_EVENTS_PER_STATE = 2
_EVENTS_PER_ATTEMPT = 3  # LambdaFunctionScheduled, Started, and Succeeded or Failed
_EVENTS_PER_MAP = 2  # MapStateStarted, MapStateSucceeded
_EVENTS_PER_ITERATION = 2  # MapIterationStarted, MapIterationSucceeded
_EVENTS_PER_EXECUTION = 2  # ExecutionStarted, ExecutionSucceeded


@dataclass(frozen=True)
class Run:
    """The shape of a run: scenes, waits and retries."""

    scenes: int
    waits: Mapping[str, int]  # by Wait state: passes for each scene, or for the run
    narrated: bool = False
    step: str = "all"
    failed_attempts: Mapping[str, int] = field(default_factory=dict)  # by state


def states(machine: Json) -> Iterator[tuple[str, Json]]:
    """Yield each state of the machine by name, including those inside Maps."""
    for name, state in machine["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from states(state["ItemProcessor"])


def events(machine: Json, run: Run) -> int:
    """Return the number of history events of a successful run."""
    return _EVENTS_PER_EXECUTION + _count_events(machine, run)


def _count_events(machine: Json, run: Run) -> int:
    total, name = 0, machine["StartAt"]
    passed: Counter[str] = Counter()
    while True:
        state = machine["States"][name]
        total += _EVENTS_PER_STATE
        passed[name] += 1
        match state["Type"]:
            case "Task":
                total += _EVENTS_PER_ATTEMPT * (1 + run.failed_attempts.get(name, 0))
            case "Map":
                total += _EVENTS_PER_MAP
                total += run.scenes * (
                    _EVENTS_PER_ITERATION + _count_events(state["ItemProcessor"], run)
                )
            case "Choice":
                name = _choose(machine, state, run, passed)
                continue
        if "Next" not in state:
            return total
        name = state["Next"]


def _targets(choice: Json, run: Run) -> list[str]:
    """Return the states that a Choice can lead to; only rules about the run scope are decided."""
    targets = []
    for rule in choice["Choices"]:
        matches = _evaluate(rule, run)
        if matches is not False:
            targets.append(rule["Next"])
        if matches:
            return targets
    return [*targets, choice["Default"]]


def _evaluate(rule: Json, run: Run) -> bool | None:
    if "Or" in rule:
        results = [_evaluate(part, run) for part in rule["Or"]]
        return True if True in results else None if None in results else False
    if rule["Variable"] == "$.image.narrated":
        return run.narrated
    if rule["Variable"] != "$.step":
        return None
    if "IsPresent" in rule:
        return bool(rule["IsPresent"])
    return bool(rule["StringEquals"] == run.step)


def _choose(machine: Json, choice: Json, run: Run, passed: Mapping[str, int]) -> str:
    """Return the next state of a Choice: a Wait until the run has passed it often enough."""
    targets = _targets(choice, run)
    is_wait = {target: machine["States"][target]["Type"] == "Wait" for target in targets}
    for target in targets:
        if is_wait[target] and passed.get(target, 0) < run.waits.get(target, 0):
            return target
    return next((target for target in targets if not is_wait[target]), targets[-1])


def documents(
    machine: Json, execution_input: Json, respond: Callable[[str, Json], Json]
) -> Iterator[tuple[str, Json]]:
    """Yield every input, output and parameters document of a run, by state.

    `respond` returns each task's result. Scenes are narrated and each Wait is passed run.
    """
    document, name = execution_input, machine["StartAt"]
    waits = dict.fromkeys(dict(states(machine)), 1)
    run = Run(scenes=0, waits=waits, narrated=True, step=execution_input.get("step", "all"))
    passed: Counter[str] = Counter()
    while True:
        state = machine["States"][name]
        passed[name] += 1
        yield name, document
        if state["Type"] == "Task":
            parameters = _select(state["Parameters"], document, {})
            result = respond(name, parameters)
            yield name, parameters
            yield name, result
            document = _with_result(document, state["ResultPath"], result)
        elif state["Type"] == "Pass":
            document = _with_result(document, state["ResultPath"], state["Result"])
        elif state["Type"] == "Map":
            for item in _resolve(document, state["ItemsPath"]):
                item_input = _select(
                    state["ItemSelector"], document, {"Map": {"Item": {"Value": item}}}
                )
                yield from documents(state["ItemProcessor"], item_input, respond)
        yield name, document
        if "Next" not in state and state["Type"] != "Choice":
            return
        name = _choose(machine, state, run, passed) if state["Type"] == "Choice" else state["Next"]


def size(document: Json) -> int:
    """Return the size of a document in bytes, as Step Functions counts it."""
    return len(json.dumps(document, ensure_ascii=False).encode())


def _select(template: Json, document: Json, context: Json) -> Json:
    return {
        key.removesuffix(".$"): _resolve(context, value[1:])
        if key.endswith(".$") and value.startswith("$$.")
        else _resolve(document, value)
        if key.endswith(".$")
        else value
        for key, value in template.items()
    }


def _resolve(document: Json, path: str) -> Any:
    for part in path.removeprefix("$").split("."):
        document = document[part] if part else document
    return document


def _with_result(document: Json, path: str, result: Json) -> Json:
    return {**document, path.removeprefix("$."): result}
