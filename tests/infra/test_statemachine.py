"""The state machine: termination, error recording, retries of paid calls, and history size."""

import json
import re
from dataclasses import replace

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from clip.job import MAX_COLLECTIONS, MAX_POLLS
from common.application import failure_records
from common.application.billing.provider_queue import MOST_ROUNDS
from common.domain import errors, models
from common.domain.video import MAX_SCENES, RunScope
from infra import config
from infra.constructs.pipeline import DEFINITION, placeholder
from infra.function_sources import FUNCTIONS
from tests.infra.history import Run, documents, events, size, states
from tests.infra.template import Json, Template

MACHINE: Json = json.loads(DEFINITION.read_text(encoding="utf-8"))
STATES = dict(states(MACHINE))
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}

CLIP = ["StartClip", "CheckClip", "CollectClip"]
# The states that may be charged for every attempt.
SUBMITS = {"WriteStory", "PaintAnchor", "PaintImage", "SpeakNarration", "StartClip"}

# Errors with which Lambda rejects an invocation. The function did not run, so retrying is safe even
# for a paid call.
REFUSED = TASKS["WriteStory"]["Retry"][0]
LAMBDA = ServiceModel(Loader().load_service_model("lambda", "service-2"))

# Limits of Step Functions: "25,000 events in a single execution" and "256 KiB of input or output".
# Documents stay far below the latter, so that they are readable in the console.
MOST_EVENTS = 25_000
LARGEST_DOCUMENT = 10 * 1024


def attempts(state: Json) -> int:
    """Return the number of retries after the function ran and failed."""
    return sum(retrier["MaxAttempts"] for retrier in state["Retry"][1:])


def siblings(name: str) -> Json:
    """Return the states beside a state: those of the machine, or of its Map."""
    for machine in (MACHINE, *(s["ItemProcessor"] for s in STATES.values() if "ItemsPath" in s)):
        if name in machine["States"]:
            return machine["States"]
    raise KeyError(name)


def catch_target(name: str) -> str:
    """Return the state that catches a state's failure."""
    (catcher,) = STATES[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    following: str = catcher["Next"]
    assert following in siblings(name)
    return following


def test_state_names_are_unique() -> None:
    assert len(STATES) == len(list(states(MACHINE)))


def test_state_machine_placeholders_match_substitutions(template: Template) -> None:
    placeholders = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text(encoding="utf-8")))
    substitutions = template.only("AWS::StepFunctions::StateMachine")["DefinitionSubstitutions"]
    assert placeholders == {*substitutions, "SceneConcurrency"}
    for name, value in substitutions.items():
        folder = template.function_ids[value["Fn::GetAtt"][0]]
        assert name == placeholder(folder)


def test_deployed_state_machine_matches_file(template: Template) -> None:
    text = template.only("AWS::StepFunctions::StateMachine")["DefinitionString"]
    concurrency = config.STAGES[template.stage].scene_concurrency
    assert json.loads(text)["States"]["Scenes"]["MaxConcurrency"] == concurrency
    assert "SceneConcurrency" not in text
    expected = {**MACHINE, "States": {**MACHINE["States"]}}
    expected["States"]["Scenes"] = {**MACHINE["States"]["Scenes"], "MaxConcurrency": concurrency}
    assert json.loads(text) == expected


def test_state_machine_is_logged_without_data_and_traced(template: Template) -> None:
    machine = template.only("AWS::StepFunctions::StateMachine")
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["StateMachineType"] == "STANDARD"


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_timeout_and_retries_named_errors(name: str) -> None:
    assert TASKS[name]["TimeoutSeconds"] > 0
    names = {error for retrier in TASKS[name]["Retry"] for error in retrier["ErrorEquals"]}
    assert names
    assert not names & {"States.ALL", "States.TaskFailed"}
    project_errors = {error for error in names if "." not in error}
    known = {kind.__name__ for kind in errors._STEP_ERRORS}
    assert project_errors <= known, "no handler raises this error"


@pytest.mark.parametrize("name", sorted(SUBMITS))
def test_paid_task_retries_only_not_accepted(name: str) -> None:
    refused, *others = TASKS[name]["Retry"]
    assert refused == REFUSED
    assert {error for retrier in others for error in retrier["ErrorEquals"]} == {"NotAccepted"}


def test_every_task_retries_rejected_lambda_invocation() -> None:
    """Lambda raises these errors before the function runs, and they are transient."""
    documented = {shape.name for shape in LAMBDA.operation_model("Invoke").error_shapes}
    for state in TASKS.values():
        refused, *others = state["Retry"]
        assert refused == REFUSED
        assert not any("TooManyRequests" in name for r in others for name in r["ErrorEquals"])
    assert set(REFUSED["ErrorEquals"]) == failure_records.REFUSED
    for name in REFUSED["ErrorEquals"]:
        assert name.removeprefix("Lambda.") in documented
    # With these errors Lambda may have run the function and lost its response.
    assert not set(REFUSED["ErrorEquals"]) & {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
    }
    assert REFUSED["JitterStrategy"] == "FULL"


def test_paid_handlers_declare_submits() -> None:
    """`submits=True` converts TransientError into an error that is not retried."""
    for folder, count in {"story": 1, "image": 1, "speech": 1, "clip": 1}.items():
        source = FUNCTIONS / folder / "handler.py"
        assert source.read_text(encoding="utf-8").count("submits=True") == count


@pytest.mark.parametrize("name", [n for n in TASKS if n not in {"RecordFailure"}])
def test_every_failure_is_recorded_and_ends_in_fail(name: str) -> None:
    following = catch_target(name)
    passed = [name]
    while STATES[following]["Type"] != "Fail":
        passed.append(following)
        state = STATES[following]
        if state["Type"] == "Task":
            assert catch_target(following) == state["Next"], "the run fails even if recording fails"
        following = state["Next"]
    if name in MACHINE["States"]:
        assert "RecordFailure" in passed
    else:
        assert catch_target("Scenes") == "RecordFailure"
    assert following in siblings(name)


def test_failed_run_fails_execution() -> None:
    assert catch_target("RecordFailure") == STATES["RecordFailure"]["Next"] == "Fail"
    assert STATES["Fail"]["Type"] == "Fail"
    ends = [n for n, s in MACHINE["States"].items() if s["Type"] in ("Succeed", "Fail")]
    assert sorted(ends) == ["Fail", "Succeed"]
    assert not [n for n, s in MACHINE["States"].items() if s.get("End")]


@pytest.mark.parametrize("name", TASKS)
def test_function_timeout_is_below_state_timeout(name: str) -> None:
    folder = TASKS[name]["Resource"].removeprefix("${").removesuffix("FunctionArn}").lower()
    longest = max(
        state["TimeoutSeconds"]
        for state in TASKS.values()
        if state["Resource"] == TASKS[name]["Resource"]
    )
    for stage in config.STAGES.values():
        assert stage.functions[folder].timeout < longest


# The most passes through each Wait state. The waits of a scene share one budget for its image,
# narration and clip.
WAITS = {
    "WaitForStory": MOST_ROUNDS,
    "WaitForAnchor": MOST_ROUNDS,
    "WaitForImage": MOST_ROUNDS,
    "WaitToSpeak": MOST_ROUNDS,
    "WaitToStartClip": MOST_ROUNDS,
    "WaitForClip": MAX_POLLS,
}


SCENE_WAITS = {"WaitForImage", "WaitToSpeak", "WaitToStartClip"}


@pytest.mark.parametrize("longest", sorted(SCENE_WAITS))
def test_largest_run_fits_into_execution_history(longest: str) -> None:
    """The worst case: all waits, polls and collections, and all retries of each paid call."""
    failed_attempts = {name: attempts(TASKS[name]) for name in SUBMITS}
    failed_attempts["CollectClip"] = MAX_COLLECTIONS - 1
    no_waits = dict.fromkeys(SCENE_WAITS - {longest}, 0)
    largest = Run(MAX_SCENES, {**WAITS, **no_waits}, narrated=True, failed_attempts=failed_attempts)
    assert events(MACHINE, largest) < MOST_EVENTS


def test_collect_clip_retries_for_ten_minutes() -> None:
    """No jitter, so that the pause never falls below the provider's polling interval."""
    for name in ("CheckClip", "CollectClip"):
        for retrier in TASKS[name]["Retry"][1:]:
            assert retrier["IntervalSeconds"] >= 6
            assert "JitterStrategy" not in retrier
    retrier = TASKS["CollectClip"]["Retry"][1]
    assert retrier["MaxAttempts"] >= MAX_COLLECTIONS
    pauses = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(MAX_COLLECTIONS - 1)
    ]
    assert sum(pauses) > 600


def test_every_wait_state_returns_to_its_task() -> None:
    waits = {name: state for name, state in STATES.items() if state["Type"] == "Wait"}
    assert waits.keys() == WAITS.keys()
    for name, state in waits.items():
        task = STATES[state["Next"]]
        assert state["SecondsPath"] == f"{task['ResultPath']}.wait_seconds"
        assert name in json.dumps(STATES[task["Next"]]), (
            "the choice after the task leads to the wait"
        )


def test_waiting_step_is_distinguished_by_status() -> None:
    for name in SUBMITS:
        choice = STATES[TASKS[name]["Next"]]
        rule = choice["Choices"][0]
        assert rule["Variable"] == f"{TASKS[name]['ResultPath']}.status"
        assert rule["StringEquals"] == "waiting"
        assert STATES[rule["Next"]]["Next"] == name
        assert choice["Default"] != rule["Next"]


def test_event_count_matches_step_functions_rules() -> None:
    # One scene, one poll: 2 events of the execution; 5 for each of WriteStory, PaintAnchor,
    # MergeClips and Finish; 2 for each of four choices and Succeed; 4 for the Map and 2 for its
    # iteration, which has 5 for each of four tasks and 2 for WaitForClip, for each of four choices
    # and for SceneDone.
    minimal = Run(scenes=1, waits={"WaitForClip": 1})
    assert events(MACHINE, minimal) == 2 + 4 * 5 + 5 * 2 + 4 + 2 + 4 * 5 + 6 * 2
    # Another poll adds a wait, a check and a choice, and so does another pass of any other wait.
    # Another attempt adds three events.
    narrated = replace(minimal, narrated=True)
    for name in WAITS:
        one_more_pass = {**minimal.waits, name: minimal.waits.get(name, 0) + 1}
        assert (
            events(MACHINE, replace(narrated, waits=one_more_pass)) - events(MACHINE, narrated) == 9
        )
    # A narration adds a task and the choice after it.
    assert events(MACHINE, narrated) - events(MACHINE, minimal) == 7
    retried = Run(scenes=1, waits=minimal.waits, failed_attempts={"CollectClip": 2})
    assert events(MACHINE, retried) - events(MACHINE, minimal) == 6


def largest_response(name: str, parameters: Json) -> Json:
    """Return the largest response of each task."""
    longest = max((model.model for model in models.models()), key=len)
    provider = {"provider": "x" * 32, "model": longest}
    clip = {"status": "succeeded", "wait_seconds": 3600, **provider}
    image = {"status": "succeeded", "wait_seconds": 3600, **provider}
    responses: dict[str, Json] = {
        "WriteStory": {"status": "succeeded", "scenes": list(range(1, MAX_SCENES + 1))},
        "PaintAnchor": {"scene": 1, **image},
        "PaintImage": {"scene": parameters.get("scene"), "narrated": True, **image},
        "SpeakNarration": {"scene": parameters.get("scene"), **image},
        "StartClip": clip,
        "CheckClip": clip,
        "CollectClip": clip,
        "MergeClips": {"clips": 60, "frames": 10**6, "seconds": "3600.000", "bytes": 10**10},
        "Finish": {"status": "succeeded", "usd": "1234.5678"},
    }
    return responses[name]


INPUT = {
    "run_id": f"run_{'0' * 26}",
    "video_id": f"vid_{'0' * 26}",
    "story": {"scenes": list(range(1, MAX_SCENES + 1))},
}


def test_state_documents_stay_small() -> None:
    sizes = {name: 0 for name, _ in states(MACHINE)}
    for scope in RunScope:
        for name, document in documents(MACHINE, {**INPUT, "step": scope.value}, largest_response):
            sizes[name] = max(sizes[name], size(document))
    assert max(sizes.values()) < LARGEST_DOCUMENT
    reached = {name for name, largest in sizes.items() if largest}
    assert STATES.keys() - reached == {
        "RecordSceneFailure",
        "SceneFailed",
        "RecordFailure",
        "Fail",
        "WholeVideo",
    }


@pytest.mark.parametrize(
    ("scope", "tasks"),
    [
        (
            RunScope.ALL,
            [
                "WriteStory",
                "PaintAnchor",
                "PaintImage",
                "SpeakNarration",
                *CLIP,
                "MergeClips",
                "Finish",
            ],
        ),
        (RunScope.STORY, ["WriteStory", "Finish"]),
        (RunScope.IMAGE, ["PaintImage", "Finish"]),
        (RunScope.CLIP, [*CLIP, "Finish"]),
        (RunScope.VIDEO, [*CLIP, "MergeClips", "Finish"]),
        (RunScope.MERGE, ["MergeClips", "Finish"]),
    ],
)
def test_run_scope_enters_only_its_tasks(scope: RunScope, tasks: list[str]) -> None:
    document = {**INPUT, "step": scope.value}
    assert list(
        dict.fromkeys(n for n, _ in documents(MACHINE, document, largest_response) if n in TASKS)
    ) == (tasks)


def test_run_without_step_makes_whole_video() -> None:
    first, whole_video = STATES["WhichStep"], STATES["WholeVideo"]
    assert first["Choices"][0] == {"Variable": "$.step", "IsPresent": False, "Next": "WholeVideo"}
    assert (whole_video["Result"], whole_video["ResultPath"]) == (RunScope.ALL.value, "$.step")
    assert whole_video["Next"] == first["Default"] == "WriteStory"


def test_state_document_with_caught_error_stays_small() -> None:
    """Step Functions stores an error's name and cause; Lambda's cause has message and stack."""
    cause = {
        "errorMessage": "m" * 1000,
        "errorType": "PermanentError",
        "requestId": "0" * 36,
        "stackTrace": ["f" * 250] * 12,
    }
    error = {"Error": "PermanentError", "Cause": json.dumps(cause)}
    context = {"run_id": f"run_{'0' * 26}", "video_id": f"vid_{'0' * 26}", "scene": 60}
    full = {**context, **{key: largest_response("StartClip", {}) for key in ("image", "clip")}}
    assert size({**full, "error": error}) < LARGEST_DOCUMENT
