"""Paths through the state machine: each success, each Retry and Catch by name, each Choice."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from common.domain.video import RunScope
from tests.faults.machine import ExecutionResult, Machine, TaskFailed, deployed
from tests.infra.history import states
from tests.infra.template import Json

TASKS = {name: state for name, state in states(deployed()) if state["Type"] == "Task"}
# The run scope in which each task is reached, and the task that has to fail first.
STEP = {
    "WriteStory": RunScope.STORY,
    "PaintAnchor": RunScope.ALL,
    "PaintImage": RunScope.IMAGE,
    "StartClip": RunScope.CLIP,
    "CheckClip": RunScope.CLIP,
    "CollectClip": RunScope.CLIP,
    "SpeakNarration": RunScope.ALL,
    "MergeClips": RunScope.MERGE,
    "Finish": RunScope.MERGE,
    "RecordSceneFailure": RunScope.IMAGE,
    "RecordFailure": RunScope.MERGE,
}
FAILED_BEFORE = {"RecordSceneFailure": "PaintImage", "RecordFailure": "MergeClips"}
DONE: Json = {"status": "succeeded", "wait_seconds": 1, "narrated": False}


@dataclass(frozen=True)
class Path:
    """An execution: its input and the successive responses of each task; the last one repeats."""

    name: str
    step: str | None
    responses: dict[str, list[Json]] = field(default_factory=dict)
    # aws-local-stepfunctions continues with other scenes after one has failed, and Step Functions
    # does not, so only the last scene may fail.
    scenes: int = 1

    @property
    def execution_input(self) -> Json:
        """The execution's input."""
        document: Json = {"run_id": "run_1", "video_id": "vid_1"}
        if self.step in ("image", "clip", "video"):
            document["story"] = {"scenes": self.numbers}
        return document if self.step is None else {**document, "step": self.step}

    @property
    def numbers(self) -> list[int]:
        """The scenes of the story."""
        return list(range(1, self.scenes + 1))

    @property
    def case(self) -> Json:
        """The path as JSON."""
        done = {**DONE, "scenes": self.numbers}
        responses = {name: self.responses.get(name, [done]) for name in TASKS}
        return {"input": self.execution_input, "responses": responses}


@dataclass(frozen=True)
class Trace:
    """The trace of an execution."""

    result: ExecutionResult
    calls: list[Json]  # state and event of each task's attempts
    entered: list[Json]  # state and input


class TaskResponses:
    """The successive responses of the tasks of a case."""

    def __init__(self, case: Json) -> None:
        self._remaining = {state: list(responses) for state, responses in case["responses"].items()}

    def next(self, state: str) -> Json:
        """Return the task's next response; the last one repeats."""
        remaining = self._remaining[state]
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]


def failure(error: str) -> Json:
    """Return the response of a failing task."""
    return {"failure": error}


def paths() -> Iterator[Path]:
    """Yield every path, short ones first."""
    yield Path("no step", None)
    for scope in RunScope:
        yield Path(f"only {scope.value}", scope.value, scenes=3)
    narrated = {"PaintImage": [{**DONE, "narrated": True}]}
    yield Path("narrated", "all", narrated, scenes=2)
    waiting = {"status": "waiting", "wait_seconds": 7}
    for name in (
        "WriteStory",
        "PaintAnchor",
        "PaintImage",
        "SpeakNarration",
        "StartClip",
        "CheckClip",
    ):
        done = {**DONE, "narrated": True, "scenes": [1]}
        responses = {**narrated, name: [waiting, waiting, done]}
        yield Path(f"{name} waits twice", "all", responses)
    running = {"status": "running", "wait_seconds": 30}
    yield Path("clips are polled", "all", {"CheckClip": [running, running, DONE]})
    second = {"PaintImage": [DONE, failure("PermanentError")]}
    yield Path("the second scene fails", "all", second, scenes=2)
    for name, state in TASKS.items():
        yield from _failures(name, state)


def _failures(name: str, state: Json) -> Iterator[Path]:
    responses: dict[str, list[Json]] = {}
    if name == "SpeakNarration":
        responses = {"PaintImage": [{**DONE, "narrated": True}]}
    if name in FAILED_BEFORE:
        responses = {FAILED_BEFORE[name]: [failure("PermanentError")]}
    step, done = STEP[name].value, {**DONE, "scenes": [1]}
    for error in ("PermanentError", "States.Timeout", "Lambda.Unknown", "Lambda.ServiceException"):
        yield Path(f"{name}: {error}", step, {**responses, name: [failure(error)]})
    for retrier in state["Retry"]:
        last = retrier["MaxAttempts"]
        for error in retrier["ErrorEquals"]:
            retried = {**responses, name: [failure(error), done]}
            yield Path(f"{name}: {error} once", step, retried)
        retried = {**responses, name: [*[failure(error)] * last, done]}
        yield Path(f"{name}: {error}, up to the last attempt", step, retried)
        yield Path(
            f"{name}: {error}, on every attempt", step, {**responses, name: [failure(error)]}
        )


def interpret(path: Path) -> Trace:
    """Run the path in this project's interpreter."""
    calls: list[Json] = []
    entered: list[Json] = []
    responses = TaskResponses(path.case)

    def invoke(state: str, _function: str, event: Json) -> Json:
        calls.append([state, event])
        response = responses.next(state)
        if "failure" in response:
            raise TaskFailed(response["failure"])
        return response

    machine = Machine(
        invoke,
        lambda _seconds: None,
        entered=lambda state, document: entered.append([state, document]),
    )
    return Trace(machine.run_to_end(path.execution_input), calls, entered)
