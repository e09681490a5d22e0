"""An interpreter of `statemachine/video.asl.json`, state by state.

It supports the fields that the definition uses and rejects others. TimeoutSeconds is not enforced:
the `invoke` callback raises States.Timeout.
"""

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from infra.constructs.pipeline import DEFINITION

Json = dict[str, Any]
# Called with state, function and event; returns the result or an awaitable. Raises TaskFailed.
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
    """Raised when a state fails, with the error name."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class ExecutionResult:
    """The result of an execution: SUCCEEDED with an output, or FAILED with an error."""

    status: str
    output: Json | None = None
    error: str | None = None


@cache
def deployed() -> Json:
    """Return the deployed definition."""
    definition: Json = json.loads(DEFINITION.read_text(encoding="utf-8"))
    return definition


@dataclass(frozen=True)
class Machine:
    """An interpreter with callbacks that invoke functions and wait.

    By default the scenes of a Map run one after another and a jittered pause has its maximum, so
    that every run of the same story is the same.
    """

    invoke: Invoke
    sleep: Callable[[float], Any]  # may be awaited
    definition: Json | None = None  # None for the deployed definition
    scenes_at_a_time: int = 1
    random: Random | None = None  # source of jittered pauses
    entered: Callable[[str, Json], None] = lambda _state, _input: None

    def run(self, execution_input: Json) -> str:
        """Run an execution; return its status, SUCCEEDED or FAILED."""
        return self.run_to_end(execution_input).status

    def run_to_end(self, execution_input: Json) -> ExecutionResult:
        """Run an execution; return its result."""
        return asyncio.run(self.execute(execution_input))

    async def execute(self, execution_input: Json) -> ExecutionResult:
        """Run an execution."""
        try:
            output = await self._walk(self.definition or deployed(), execution_input, {})
        except TaskFailed as failed:
            return ExecutionResult("FAILED", error=failed.error)
        return ExecutionResult("SUCCEEDED", output)

    async def _walk(self, machine: Json, document: Json, context: Json) -> Json:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            strange = set(state) - _FIELDS[state["Type"]] - {"Type", "Comment"}
            if strange:
                raise NotImplementedError(f"{name}: {sorted(strange)}")
            self.entered(name, document)
            try:
                document, following = await self._enter(name, state, document, context)
            except TaskFailed as failed:
                caught = _find_rule(state.get("Catch", []), failed.error)
                if caught is None:
                    raise
                document = _with_result(document, caught["ResultPath"], {"Error": failed.error})
                following = caught["Next"]
            if following is None:
                return document
            name = following

    async def _enter(
        self, name: str, state: Json, document: Json, context: Json
    ) -> tuple[Json, str | None]:
        following: str | None = state.get("Next")
        match state["Type"]:
            case "Task":
                event = _apply_template(state["Parameters"], document, context)
                document = _with_result(
                    document, state["ResultPath"], await self._task(name, state, event)
                )
            case "Map":
                document = _with_result(
                    document, state["ResultPath"], await self._map(state, document)
                )
            case "Choice":
                following = next(
                    (c["Next"] for c in state["Choices"] if _evaluate(c, document)),
                    state.get("Default"),
                )
                if following is None:
                    raise TaskFailed("States.NoChoiceMatched")
            case "Wait":
                path = state.get("SecondsPath")
                await _await_if_needed(
                    self.sleep(_resolve(document, path) if path else state["Seconds"])
                )
            case "Pass":
                document = _with_result(document, state["ResultPath"], state["Result"])
            case "Fail":
                raise TaskFailed(state["Error"])
        return document, following

    async def _map(self, state: Json, document: Json) -> list[Json]:
        places = asyncio.Semaphore(self.scenes_at_a_time)

        async def iteration(item: Any) -> Json:
            inside = {"Map": {"Item": {"Value": item}}}
            async with places:
                chosen = _apply_template(state["ItemSelector"], document, inside)
                return await self._walk(state["ItemProcessor"], chosen, inside)

        items = _resolve(document, state["ItemsPath"])
        if self.scenes_at_a_time == 1:
            return [await iteration(item) for item in items]
        iterations = [asyncio.ensure_future(iteration(item)) for item in items]
        try:
            return await asyncio.gather(*iterations)
        finally:  # the first failure cancels the others
            for one in iterations:
                one.cancel()

    async def _task(self, name: str, state: Json, event: Json) -> Any:
        function = _FUNCTION.fullmatch(state["Resource"])
        assert function is not None, state["Resource"]
        tried = [0] * len(state.get("Retry", []))
        while True:
            try:
                return await _await_if_needed(self.invoke(name, function[1].lower(), event))
            except TaskFailed as failed:
                retrier = _find_rule(state.get("Retry", []), failed.error)
                if retrier is None:
                    raise
                number = state["Retry"].index(retrier)
                if tried[number] >= retrier["MaxAttempts"]:
                    raise
                pause = retrier["IntervalSeconds"] * retrier.get("BackoffRate", 2) ** tried[number]
                pause = min(pause, retrier.get("MaxDelaySeconds", pause))
                if self.random and retrier.get("JitterStrategy") == "FULL":
                    pause = self.random.uniform(0, pause)
                tried[number] += 1
                await _await_if_needed(self.sleep(pause))


async def _await_if_needed(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _find_rule(rules: list[Json], error: str) -> Json | None:
    for rule in rules:
        if error in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
            return rule
    return None


def _evaluate(choice: Json, document: Json) -> bool:
    if "And" in choice:
        return all(_evaluate(one, document) for one in choice["And"])
    if "Or" in choice:
        return any(_evaluate(one, document) for one in choice["Or"])
    ((test, wanted),) = ((n, v) for n, v in choice.items() if n not in ("Variable", "Next"))
    if test == "IsPresent":
        return (_resolve(document, choice["Variable"], None) is not None) is wanted
    return _TESTS[test](_resolve(document, choice["Variable"]), wanted)


def _apply_template(template: Json, document: Json, context: Json) -> Json:
    return {
        name.removesuffix(".$"): value
        if not name.endswith(".$")
        else _resolve(context, value[1:])
        if value.startswith("$$.")
        else _resolve(document, value)
        for name, value in template.items()
    }


_RAISE = object()


def _resolve(document: Any, path: str, default: Any = _RAISE) -> Any:
    for part in path.removeprefix("$").split(".")[1:]:
        if part not in document and default is not _RAISE:
            return default
        document = document[part]
    return document


def _with_result(document: Json, path: str | None, result: Any) -> Json:
    if path is None:
        return document
    first, *rest = path.removeprefix("$.").split(".")
    assert not rest, path
    return {**document, first: result}
