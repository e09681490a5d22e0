"""Plays Step Functions: walks through `statemachine/video.asl.json` itself, state by state.

It knows the fields that the definition uses and refuses any other, so that what it leaves out is
noticed. Time is not waited for: `sleep` moves a clock. The scenes of a Map come one after another,
so that every run of the same story is the same. TimeoutSeconds is not enforced: a worker that is
killed stands for one that ran out of time.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.constructs.pipeline import DEFINITION

Json = dict[str, Any]
# What becomes of an invocation: its result; raises TaskFailed.
Invoke = Callable[[str, str, Json], Any]

_FIELDS = {
    "Task": {
        *("Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next"),
        "End",
    },
    "Map": {
        *("ItemsPath", "ItemSelector", "MaxConcurrency", "ItemProcessor", "ResultPath", "Catch"),
        *("Next", "End"),
    },
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "SecondsPath", "Next"},
    "Pass": {"Result", "ResultPath", "Next"},
    "Succeed": set(),
    "Fail": {"Error", "Cause"},
}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "StringEquals": lambda value, wanted: bool(value == wanted),
    "NumericGreaterThan": lambda value, wanted: bool(value > wanted),
    "NumericLessThan": lambda value, wanted: bool(value < wanted),
    "BooleanEquals": lambda value, wanted: value is wanted,
}
_FUNCTION = re.compile(r"\$\{(\w+)FunctionArn\}")


class TaskFailed(Exception):
    """A state failed under the name of an error."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Machine:
    """The definition, what invokes its functions, and what lets time pass."""

    invoke: Invoke
    sleep: Callable[[float], None]

    def run(self, given: Json) -> str:
        """Run one execution; return its status: SUCCEEDED or FAILED."""
        definition = json.loads(DEFINITION.read_text(encoding="utf-8"))
        try:
            self._walk(definition, given, {})
        except TaskFailed:
            return "FAILED"
        return "SUCCEEDED"

    def _walk(self, machine: Json, document: Json, context: Json) -> Json:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            strange = set(state) - _FIELDS[state["Type"]] - {"Type", "Comment"}
            if strange:
                raise NotImplementedError(f"{name}: {sorted(strange)}")
            try:
                document, following = self._enter(name, state, document, context)
            except TaskFailed as failed:
                caught = _matching(state.get("Catch", []), failed.error)
                if caught is None:
                    raise
                document = _placed(document, caught["ResultPath"], {"Error": failed.error})
                following = caught["Next"]
            if following is None:
                return document
            name = following

    def _enter(
        self, name: str, state: Json, document: Json, context: Json
    ) -> tuple[Json, str | None]:
        following: str | None = state.get("Next")
        match state["Type"]:
            case "Task":
                result = self._task(name, state, _filled(state["Parameters"], document, context))
                document = _placed(document, state["ResultPath"], result)
            case "Map":
                results = []
                for item in _at(document, state["ItemsPath"]):
                    inside = {"Map": {"Item": {"Value": item}}}
                    chosen = _filled(state["ItemSelector"], document, inside)
                    results.append(self._walk(state["ItemProcessor"], chosen, inside))
                document = _placed(document, state["ResultPath"], results)
            case "Choice":
                following = next(
                    (c["Next"] for c in state["Choices"] if _holds(c, document)),
                    state.get("Default"),
                )
                if following is None:
                    raise TaskFailed("States.NoChoiceMatched")
            case "Wait":
                path = state.get("SecondsPath")
                self.sleep(_at(document, path) if path else state["Seconds"])
            case "Pass":
                document = _placed(document, state["ResultPath"], state["Result"])
            case "Fail":
                raise TaskFailed(state["Error"])
        return document, following

    def _task(self, name: str, state: Json, event: Json) -> Any:
        function = _FUNCTION.fullmatch(state["Resource"])
        assert function is not None, state["Resource"]
        tried = [0] * len(state.get("Retry", []))
        while True:
            try:
                return self.invoke(name, function[1].lower(), event)
            except TaskFailed as failed:
                retrier = _matching(state.get("Retry", []), failed.error)
                if retrier is None:
                    raise
                number = state["Retry"].index(retrier)
                if tried[number] >= retrier["MaxAttempts"]:
                    raise
                pause = retrier["IntervalSeconds"] * retrier.get("BackoffRate", 2) ** tried[number]
                tried[number] += 1
                self.sleep(min(pause, retrier.get("MaxDelaySeconds", pause)))


def _matching(rules: list[Json], error: str) -> Json | None:
    for rule in rules:
        if error in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
            return rule
    return None


def _holds(choice: Json, document: Json) -> bool:
    if "And" in choice:
        return all(_holds(one, document) for one in choice["And"])
    if "Or" in choice:
        return any(_holds(one, document) for one in choice["Or"])
    ((test, wanted),) = ((n, v) for n, v in choice.items() if n not in ("Variable", "Next"))
    if test == "IsPresent":
        return (_at(document, choice["Variable"], None) is not None) is wanted
    return _TESTS[test](_at(document, choice["Variable"]), wanted)


def _filled(template: Json, document: Json, context: Json) -> Json:
    return {
        name.removesuffix(".$"): value
        if not name.endswith(".$")
        else _at(context, value[1:])
        if value.startswith("$$.")
        else _at(document, value)
        for name, value in template.items()
    }


_RAISE = object()


def _at(document: Any, path: str, default: Any = _RAISE) -> Any:
    for part in path.removeprefix("$").split(".")[1:]:
        if part not in document and default is not _RAISE:
            return default
        document = document[part]
    return document


def _placed(document: Json, path: str | None, result: Any) -> Json:
    if path is None:
        return document
    first, *rest = path.removeprefix("$.").split(".")
    assert not rest, path
    return {**document, first: result}
