"""A pure walk through the state machine: how many events, and how large a state, a run makes.

It knows what `statemachine/video.asl.json` uses: Task, Map, Wait, Choice, Pass, Succeed, Fail,
JSONPath.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.infra.template import Json

# Events in an execution's history, by AWS's "Logging and history events" for Standard workflows.
_ENTER_AND_LEAVE = 2
_OF_AN_ATTEMPT = 3  # LambdaFunctionScheduled, Started, and Succeeded or Failed
_OF_A_MAP = 2  # MapStateStarted, MapStateSucceeded
_OF_AN_ITERATION = 2  # MapIterationStarted, MapIterationSucceeded
_OF_AN_EXECUTION = 2  # ExecutionStarted, ExecutionSucceeded


@dataclass(frozen=True)
class Run:
    """How one run goes."""

    scenes: int
    waits: Mapping[str, int]  # by state of type Wait: how often each scene, or the run, passes it
    narrated: bool = False
    step: str = "all"
    failed_attempts: Mapping[str, int] = field(default_factory=dict)  # by state


def states(machine: Json) -> Iterator[tuple[str, Json]]:
    """Every state of the machine, with those inside of Maps."""
    for name, state in machine["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from states(state["ItemProcessor"])


def events(machine: Json, run: Run) -> int:
    """The number of history events of a run that succeeds."""
    return _OF_AN_EXECUTION + _walk(machine, run)


def _walk(machine: Json, run: Run) -> int:
    total, name = 0, machine["StartAt"]
    passed: Counter[str] = Counter()
    while True:
        state = machine["States"][name]
        total += _ENTER_AND_LEAVE
        passed[name] += 1
        match state["Type"]:
            case "Task":
                total += _OF_AN_ATTEMPT * (1 + run.failed_attempts.get(name, 0))
            case "Map":
                total += _OF_A_MAP
                total += run.scenes * (_OF_AN_ITERATION + _walk(state["ItemProcessor"], run))
            case "Choice":
                name = _chosen(machine, state, run, passed)
                continue
        if "Next" not in state:
            return total
        name = state["Next"]


def _ways(choice: Json, run: Run) -> list[str]:
    """Where a Choice can lead in that run: rules about what it makes are decided, others open."""
    ways = []
    for rule in choice["Choices"]:
        holds = _holds(rule, run)
        if holds is not False:
            ways.append(rule["Next"])
        if holds:
            return ways
    return [*ways, choice["Default"]]


def _holds(rule: Json, run: Run) -> bool | None:
    if "Or" in rule:
        parts = [_holds(part, run) for part in rule["Or"]]
        return True if True in parts else None if None in parts else False
    if rule["Variable"] == "$.image.narrated":
        return run.narrated
    if rule["Variable"] != "$.step":
        return None
    if "IsPresent" in rule:
        return bool(rule["IsPresent"])
    return bool(rule["StringEquals"] == run.step)


def _chosen(machine: Json, choice: Json, run: Run, passed: Mapping[str, int]) -> str:
    """Into a Wait as long as the run is to pass it, and else on."""
    ways = _ways(choice, run)
    is_wait = {way: machine["States"][way]["Type"] == "Wait" for way in ways}
    for way in ways:
        if is_wait[way] and passed.get(way, 0) < run.waits.get(way, 0):
            return way
    return next((way for way in ways if not is_wait[way]), ways[-1])


def documents(
    machine: Json, given: Json, answer: Callable[[str, Json], Json]
) -> Iterator[tuple[str, Json]]:
    """Every input, output and parameters document of a run in which `answer` speaks for tasks.

    Each scene is narrated and every Wait is passed once; it is the sizes that matter.
    """
    document, name = given, machine["StartAt"]
    waits = dict.fromkeys(dict(states(machine)), 1)
    once = Run(scenes=0, waits=waits, narrated=True, step=given.get("step", "all"))
    passed: Counter[str] = Counter()
    while True:
        state = machine["States"][name]
        passed[name] += 1
        yield name, document
        if state["Type"] == "Task":
            parameters = _select(state["Parameters"], document, {})
            result = answer(name, parameters)
            yield name, parameters
            yield name, result
            document = _placed(document, state["ResultPath"], result)
        elif state["Type"] == "Pass":
            document = _placed(document, state["ResultPath"], state["Result"])
        elif state["Type"] == "Map":
            for item in _at(document, state["ItemsPath"]):
                chosen = _select(
                    state["ItemSelector"], document, {"Map": {"Item": {"Value": item}}}
                )
                yield from documents(state["ItemProcessor"], chosen, answer)
        yield name, document
        if "Next" not in state and state["Type"] != "Choice":
            return
        name = _chosen(machine, state, once, passed) if state["Type"] == "Choice" else state["Next"]


def size(document: Json) -> int:
    """Bytes of a document as Step Functions counts them."""
    return len(json.dumps(document, ensure_ascii=False).encode())


def _select(template: Json, document: Json, context: Json) -> Json:
    return {
        key.removesuffix(".$"): _at(context, value[1:])
        if key.endswith(".$") and value.startswith("$$.")
        else _at(document, value)
        if key.endswith(".$")
        else value
        for key, value in template.items()
    }


def _at(document: Json, path: str) -> Any:
    for part in path.removeprefix("$").split("."):
        document = document[part] if part else document
    return document


def _placed(document: Json, path: str, result: Json) -> Json:
    return {**document, path.removeprefix("$."): result}
