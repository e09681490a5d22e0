"""AWS's rules for the state machine, and every path through it in other interpreters.

The first interpreter is the tests' own (`tests/faults/machine.py`), the second is
aws-local-stepfunctions, the third the emulator's.
"""

import json
from functools import cache
from pathlib import Path as File
from typing import Any

import pytest

from infra.constructs.pipeline import DEFINITION
from tests.faults.machine import deployed
from tests.infra import emulated
from tests.infra.history import states
from tests.infra.paths import Walked, paths, walk
from tests.infra.template import Json
from tests.support import node

PATHS = list(paths())
SECOND = File(__file__).parent / "step_functions"


@cache
def walked() -> list[Walked]:
    """Every path, in the first interpreter."""
    return [walk(path) for path in PATHS]


def definition(text: str) -> Json:
    """The definition with a function for each task, which has the state's name."""
    machine = json.loads(text.replace('"${SceneConcurrency}"', "1"))
    for name, state in states(machine):
        if state["Type"] == "Task":
            state["Resource"] = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    return machine


def interpreted(text: str, cases: list[Json]) -> Json:
    """What asl-validator and the second interpreter say."""
    given = json.dumps({"definition": definition(text), "cases": cases})
    return json.loads(node.run("run.mjs", cwd=node.install(SECOND), given=given))


@pytest.fixture(scope="module")
def second() -> Json:
    return interpreted(DEFINITION.read_text(encoding="utf-8"), [path.case for path in PATHS])


def without_cause(document: Any) -> Any:
    """A caught error's Cause is Lambda's or the interpreter's own; no state reads it."""
    if isinstance(document, dict):
        return {k: without_cause(v) for k, v in document.items() if k != "Cause"}
    return [without_cause(v) for v in document] if isinstance(document, list) else document


def in_any_order(entered: list[Json]) -> list[str]:
    """The entered states, with their inputs, sorted."""
    return sorted(json.dumps(one, sort_keys=True) for one in entered)


def test_paths_pass_every_state_and_every_transition() -> None:
    passed = {
        (before, after)
        for one in walked()
        for (before, _), (after, _) in zip(one.entered, one.entered[1:], strict=False)
    }
    for name, state in states(deployed()):
        branches = [*state.get("Catch", []), *state.get("Choices", [])]
        ways = [state.get("Next"), state.get("Default"), *(branch["Next"] for branch in branches)]
        for way in filter(None, ways):
            if state["Type"] == "Map":  # it is left from the last state of a scene
                assert {b for b, a in passed if a == way}
            else:
                assert (name, way) in passed


def test_the_definition_keeps_to_the_rules(second: Json) -> None:
    assert second["validation"] == {"isValid": True, "errors": []}


def test_the_validator_finds_a_mistake() -> None:
    text = DEFINITION.read_text(encoding="utf-8").replace('"Next": "MergeClips"', '"Next": "Gone"')
    assert not interpreted(text, [])["validation"]["isValid"]


def test_a_second_interpreter_goes_the_same_ways(second: Json) -> None:
    for path, mine, other in zip(PATHS, walked(), second["results"], strict=True):
        if path.step is None:  # aws-local-stepfunctions 3.0.0 takes no IsPresent for false
            continue
        assert (mine.ended.status, mine.ended.error) == (other["status"], other["error"]), path
        assert mine.calls == without_cause(other["calls"]), path
        # Its log has states of a Map and of the machine in the order in which they were written.
        assert in_any_order(mine.entered) == in_any_order(without_cause(other["entered"])), path
        assert mine.ended.output == without_cause(other["output"]), path


def test_the_emulator_goes_the_same_ways() -> None:
    text = DEFINITION.read_text(encoding="utf-8")
    for path, mine in zip(PATHS, walked(), strict=True):
        other = emulated.walk(definition(text), path.case)
        assert (mine.ended.status, mine.ended.error) == (other.ended.status, other.ended.error), (
            path
        )
        assert mine.calls == without_cause(other.calls), path
        assert mine.ended.output == without_cause(other.ended.output), path
