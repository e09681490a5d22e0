"""Validation of the state machine, and every path through it in three interpreters.

The interpreters are this project's (`tests/faults/machine.py`), aws-local-stepfunctions and the
emulator's.
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
from tests.infra.paths import Trace, interpret, paths
from tests.infra.template import Json
from tests.support import node

PATHS = list(paths())
NODE_INTERPRETER = File(__file__).parent / "step_functions"


@cache
def traces() -> list[Trace]:
    """Return the trace of every path in this project's interpreter."""
    return [interpret(path) for path in PATHS]


def definition(text: str) -> Json:
    """Return the definition; each task invokes a function named after its state."""
    machine = json.loads(text.replace('"${SceneConcurrency}"', "1"))
    for name, state in states(machine):
        if state["Type"] == "Task":
            state["Resource"] = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    return machine


def interpret_with_node(text: str, cases: list[Json]) -> Json:
    """Return the results of asl-validator and of aws-local-stepfunctions."""
    stdin = json.dumps({"definition": definition(text), "cases": cases})
    return json.loads(node.run("run.mjs", cwd=node.install(NODE_INTERPRETER), given=stdin))


@pytest.fixture(scope="module")
def node_results() -> Json:
    return interpret_with_node(
        DEFINITION.read_text(encoding="utf-8"), [path.case for path in PATHS]
    )


def without_cause(document: Any) -> Any:
    """Return the document without Cause, which differs by interpreter and which no state reads."""
    if isinstance(document, dict):
        return {k: without_cause(v) for k, v in document.items() if k != "Cause"}
    return [without_cause(v) for v in document] if isinstance(document, list) else document


def sorted_states(entered: list[Json]) -> list[str]:
    """Return the entered states, with their inputs, sorted."""
    return sorted(json.dumps(state, sort_keys=True) for state in entered)


def test_paths_cover_every_state_and_transition() -> None:
    passed = {
        (before, after)
        for trace in traces()
        for (before, _), (after, _) in zip(trace.entered, trace.entered[1:], strict=False)
    }
    for name, state in states(deployed()):
        branches = [*state.get("Catch", []), *state.get("Choices", [])]
        targets = [
            state.get("Next"),
            state.get("Default"),
            *(branch["Next"] for branch in branches),
        ]
        for target in filter(None, targets):
            if state["Type"] == "Map":  # is left from the last state of a scene
                assert {b for b, a in passed if a == target}
            else:
                assert (name, target) in passed


def test_state_machine_definition_is_valid(node_results: Json) -> None:
    assert node_results["validation"] == {"isValid": True, "errors": []}


def test_state_machine_validator_finds_invalid_transition() -> None:
    text = DEFINITION.read_text(encoding="utf-8").replace('"Next": "MergeClips"', '"Next": "Gone"')
    assert not interpret_with_node(text, [])["validation"]["isValid"]


def test_state_machine_paths_match_aws_local_stepfunctions(node_results: Json) -> None:
    for path, expected, actual in zip(PATHS, traces(), node_results["results"], strict=True):
        if path.step is None:  # aws-local-stepfunctions 3.0.0 takes no IsPresent for false
            continue
        assert (expected.result.status, expected.result.error) == (
            actual["status"],
            actual["error"],
        ), path
        assert expected.calls == without_cause(actual["calls"]), path
        # Its log groups the states of a Map, so the order differs.
        assert sorted_states(expected.entered) == sorted_states(without_cause(actual["entered"])), (
            path
        )
        assert expected.result.output == without_cause(actual["output"]), path


def test_state_machine_paths_match_emulator() -> None:
    text = DEFINITION.read_text(encoding="utf-8")
    for path, expected in zip(PATHS, traces(), strict=True):
        actual = emulated.interpret(definition(text), path.case)
        assert (expected.result.status, expected.result.error) == (
            actual.result.status,
            actual.result.error,
        ), path
        assert expected.calls == without_cause(actual.calls), path
        assert expected.result.output == without_cause(actual.result.output), path
