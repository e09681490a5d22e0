"""The state machine: every run ends, says why, pays once, and fits into its history."""

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
# The states that may cost money with every attempt.
SUBMITS = {"WriteStory", "PaintAnchor", "PaintImage", "SpeakNarration", "StartClip"}

# With these errors Lambda refuses an invocation: the function did not run, so that even a paid one
# is tried again.
REFUSED = TASKS["WriteStory"]["Retry"][0]
LAMBDA = ServiceModel(Loader().load_service_model("lambda", "service-2"))

# "25,000 events in a single execution", "256 KiB of input or output"; the latter is a limit to stay
# far from, so that states can be read.
MOST_EVENTS = 25_000
LARGEST_DOCUMENT = 10 * 1024


def attempts(state: Json) -> int:
    """How often a function may run and fail and be tried again."""
    return sum(retrier["MaxAttempts"] for retrier in state["Retry"][1:])


def home(name: str) -> Json:
    """The states among which a state stands: the machine's, or those of its Map."""
    for machine in (MACHINE, *(s["ItemProcessor"] for s in STATES.values() if "ItemsPath" in s)):
        if name in machine["States"]:
            return machine["States"]
    raise KeyError(name)


def caught(name: str) -> str:
    """Where a state's failure leads."""
    (catcher,) = STATES[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    following: str = catcher["Next"]
    assert following in home(name)
    return following


def test_states_are_named_once() -> None:
    assert len(STATES) == len(list(states(MACHINE)))


def test_placeholders_are_the_functions_and_one_number(template: Template) -> None:
    asked = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text(encoding="utf-8")))
    substitutions = template.only("AWS::StepFunctions::StateMachine")["DefinitionSubstitutions"]
    assert asked == {*substitutions, "SceneConcurrency"}
    for name, value in substitutions.items():
        folder = template.function_ids[value["Fn::GetAtt"][0]]
        assert name == placeholder(folder)


def test_the_deployed_definition_is_the_file_with_its_number(template: Template) -> None:
    text = template.only("AWS::StepFunctions::StateMachine")["DefinitionString"]
    concurrency = config.STAGES[template.stage].scene_concurrency
    assert json.loads(text)["States"]["Scenes"]["MaxConcurrency"] == concurrency
    assert "SceneConcurrency" not in text
    expected = {**MACHINE, "States": {**MACHINE["States"]}}
    expected["States"]["Scenes"] = {**MACHINE["States"]["Scenes"], "MaxConcurrency": concurrency}
    assert json.loads(text) == expected


def test_it_is_logged_and_traced_without_data(template: Template) -> None:
    machine = template.only("AWS::StepFunctions::StateMachine")
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["StateMachineType"] == "STANDARD"


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_and_retries_by_name(name: str) -> None:
    assert TASKS[name]["TimeoutSeconds"] > 0
    names = {error for retrier in TASKS[name]["Retry"] for error in retrier["ErrorEquals"]}
    assert names
    assert not names & {"States.ALL", "States.TaskFailed"}
    own = {error for error in names if "." not in error}
    known = {kind.__name__ for kind in errors._STEP_ERRORS}
    assert own <= known, "an error that no handler reports"


@pytest.mark.parametrize("name", sorted(SUBMITS))
def test_paid_work_is_tried_again_only_when_certainly_not_accepted(name: str) -> None:
    refused, *others = TASKS[name]["Retry"]
    assert refused == REFUSED
    assert {error for retrier in others for error in retrier["ErrorEquals"]} == {"NotAccepted"}


def test_every_task_is_tried_again_when_lambda_refused_the_invocation() -> None:
    """The errors are Lambda's own, raised before the function runs, and pass by themselves."""
    documented = {shape.name for shape in LAMBDA.operation_model("Invoke").error_shapes}
    for state in TASKS.values():
        refused, *others = state["Retry"]
        assert refused == REFUSED
        assert not any("TooManyRequests" in name for r in others for name in r["ErrorEquals"])
    assert set(REFUSED["ErrorEquals"]) == failure_records.REFUSED
    for name in REFUSED["ErrorEquals"]:
        assert name.removeprefix("Lambda.") in documented
    # Lambda may have run the function, and lost its answer.
    assert not set(REFUSED["ErrorEquals"]) & {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
    }
    assert REFUSED["JitterStrategy"] == "FULL"


def test_a_handler_that_pays_says_so() -> None:
    """`submits=True` is what turns a TransientError into the only error that is tried again."""
    for folder, marks in {"story": 1, "image": 1, "speech": 1, "clip": 1}.items():
        source = FUNCTIONS / folder / "handler.py"
        assert source.read_text(encoding="utf-8").count("submits=True") == marks


@pytest.mark.parametrize("name", [n for n in TASKS if n not in {"RecordFailure"}])
def test_every_failure_is_recorded_and_ends_in_fail(name: str) -> None:
    following = caught(name)
    passed = [name]
    while STATES[following]["Type"] != "Fail":
        passed.append(following)
        state = STATES[following]
        if state["Type"] == "Task":
            assert caught(following) == state["Next"], (
                "recording failed: the run fails all the same"
            )
        following = state["Next"]
    if name in MACHINE["States"]:
        assert "RecordFailure" in passed
    else:
        assert caught("Scenes") == "RecordFailure"
    assert following in home(name)


def test_a_failed_run_is_a_failed_execution() -> None:
    assert caught("RecordFailure") == STATES["RecordFailure"]["Next"] == "Fail"
    assert STATES["Fail"]["Type"] == "Fail"
    ends = [n for n, s in MACHINE["States"].items() if s["Type"] in ("Succeed", "Fail")]
    assert sorted(ends) == ["Fail", "Succeed"]
    assert not [n for n, s in MACHINE["States"].items() if s.get("End")]


@pytest.mark.parametrize("name", TASKS)
def test_a_function_ends_before_its_longest_state(name: str) -> None:
    folder = TASKS[name]["Resource"].removeprefix("${").removesuffix("FunctionArn}").lower()
    longest = max(
        state["TimeoutSeconds"]
        for state in TASKS.values()
        if state["Resource"] == TASKS[name]["Resource"]
    )
    for stage in config.STAGES.values():
        assert stage.functions[folder].timeout < longest


# The states that lead a step back to its task, and how often at most. A scene's own share is for
# its picture, its narration and its clip together.
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
def test_the_largest_run_fits_into_its_history(longest: str) -> None:
    """Every step waits as long as it may, every clip is polled to the last and fetched as often as
    it may be, every paid call is tried as often as it may be, each time that it comes back."""
    patience = {name: attempts(TASKS[name]) for name in SUBMITS}
    patience["CollectClip"] = MAX_COLLECTIONS - 1
    none = dict.fromkeys(SCENE_WAITS - {longest}, 0)
    largest = Run(MAX_SCENES, {**WAITS, **none}, narrated=True, failed_attempts=patience)
    assert events(MACHINE, largest) < MOST_EVENTS


def test_a_finished_clip_is_fetched_for_ten_minutes() -> None:
    """And never sooner than its provider may be asked again, so without jitter."""
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


def test_every_wait_leads_back_to_its_task() -> None:
    waits = {name: state for name, state in STATES.items() if state["Type"] == "Wait"}
    assert waits.keys() == WAITS.keys()
    for name, state in waits.items():
        task = STATES[state["Next"]]
        assert state["SecondsPath"] == f"{task['ResultPath']}.wait_seconds"
        assert name in json.dumps(STATES[task["Next"]]), "the choice behind the task leads here"


def test_a_step_that_waits_is_told_from_one_that_is_done() -> None:
    for name in SUBMITS:
        choice = STATES[TASKS[name]["Next"]]
        rule = choice["Choices"][0]
        assert rule["Variable"] == f"{TASKS[name]['ResultPath']}.status"
        assert rule["StringEquals"] == "waiting"
        assert STATES[rule["Next"]]["Next"] == name
        assert choice["Default"] != rule["Next"]


def test_events_are_counted_as_the_service_counts_them() -> None:
    # One scene, one poll, by hand: 2 of the execution, 5 for each of WriteStory, PaintAnchor,
    # MergeClips and Finish, 2 for each of four choices and Succeed, 4 for the Map and 2 for its
    # iteration, in which there are 5 for each of four tasks and 2 for WaitForClip, for each of
    # four choices and for SceneDone.
    plain = Run(scenes=1, waits={"WaitForClip": 1})
    assert events(MACHINE, plain) == 2 + 4 * 5 + 5 * 2 + 4 + 2 + 4 * 5 + 6 * 2
    # Another poll is a wait, a check and a choice, and so is another round of any other wait;
    # another attempt is three events.
    narrated = replace(plain, narrated=True)
    for name in WAITS:
        once_more = {**plain.waits, name: plain.waits.get(name, 0) + 1}
        assert events(MACHINE, replace(narrated, waits=once_more)) - events(MACHINE, narrated) == 9
    # A narration is another task, and the choice behind it.
    assert events(MACHINE, narrated) - events(MACHINE, plain) == 7
    retried = Run(scenes=1, waits=plain.waits, failed_attempts={"CollectClip": 2})
    assert events(MACHINE, retried) - events(MACHINE, plain) == 6


def answer(name: str, parameters: Json) -> Json:
    """The largest answer that each task can give."""
    longest = max((model.model for model in models.models()), key=len)
    by = {"provider": "x" * 32, "model": longest}
    clip = {"status": "succeeded", "wait_seconds": 3600, **by}
    still = {"status": "succeeded", "wait_seconds": 3600, **by}
    answers: dict[str, Json] = {
        "WriteStory": {"status": "succeeded", "scenes": list(range(1, MAX_SCENES + 1))},
        "PaintAnchor": {"scene": 1, **still},
        "PaintImage": {"scene": parameters.get("scene"), "narrated": True, **still},
        "SpeakNarration": {"scene": parameters.get("scene"), **still},
        "StartClip": clip,
        "CheckClip": clip,
        "CollectClip": clip,
        "MergeClips": {"clips": 60, "frames": 10**6, "seconds": "3600.000", "bytes": 10**10},
        "Finish": {"status": "succeeded", "usd": "1234.5678"},
    }
    return answers[name]


GIVEN = {
    "run_id": f"run_{'0' * 26}",
    "video_id": f"vid_{'0' * 26}",
    "story": {"scenes": list(range(1, MAX_SCENES + 1))},
}


def test_what_states_carry_stays_small() -> None:
    seen = {name: 0 for name, _ in states(MACHINE)}
    for part in RunScope:
        for name, document in documents(MACHINE, {**GIVEN, "step": part.value}, answer):
            seen[name] = max(seen[name], size(document))
    assert max(seen.values()) < LARGEST_DOCUMENT
    reached = {name for name, largest in seen.items() if largest}
    assert STATES.keys() - reached == {
        "RecordSceneFailure",
        "SceneFailed",
        "RecordFailure",
        "Fail",
        "WholeVideo",
    }


@pytest.mark.parametrize(
    ("part", "tasks"),
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
def test_a_part_passes_the_states_that_make_it(part: RunScope, tasks: list[str]) -> None:
    given = {**GIVEN, "step": part.value}
    assert list(dict.fromkeys(n for n, _ in documents(MACHINE, given, answer) if n in TASKS)) == (
        tasks
    )


def test_ids_alone_make_the_whole() -> None:
    first, whole = STATES["WhichStep"], STATES["WholeVideo"]
    assert first["Choices"][0] == {"Variable": "$.step", "IsPresent": False, "Next": "WholeVideo"}
    assert (whole["Result"], whole["ResultPath"]) == (RunScope.ALL.value, "$.step")
    assert whole["Next"] == first["Default"] == "WriteStory"


def test_a_caught_error_adds_little() -> None:
    """Step Functions keeps an error's name and cause; Lambda's cause has message and stack."""
    cause = {
        "errorMessage": "m" * 1000,
        "errorType": "PermanentError",
        "requestId": "0" * 36,
        "stackTrace": ["f" * 250] * 12,
    }
    error = {"Error": "PermanentError", "Cause": json.dumps(cause)}
    given = {"run_id": f"run_{'0' * 26}", "video_id": f"vid_{'0' * 26}", "scene": 60}
    full = {**given, **{key: answer("StartClip", {}) for key in ("image", "clip")}}
    assert size({**full, "error": error}) < LARGEST_DOCUMENT
