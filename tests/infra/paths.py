"""Paths through the state machine: each success, each Retry and Catch by name, each Choice."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from common.domain.video import RunScope
from tests.faults.machine import Ended, Machine, TaskFailed, deployed
from tests.infra.history import states
from tests.infra.template import Json

TASKS = {name: state for name, state in states(deployed()) if state["Type"] == "Task"}
# What a run has to make so that the task is reached, and what else has to happen.
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
BEFORE = {"RecordSceneFailure": "PaintImage", "RecordFailure": "MergeClips"}
DONE: Json = {"status": "succeeded", "wait_seconds": 1, "narrated": False}


@dataclass(frozen=True)
class Path:
    """One execution: its input, and what each task answers in turn; the last answer stays."""

    name: str
    step: str | None
    answers: dict[str, list[Json]] = field(default_factory=dict)
    # The second interpreter goes on with other scenes after one has failed, and Step Functions does
    # not; so where one fails, it is the last.
    scenes: int = 1

    @property
    def given(self) -> Json:
        """The execution's input."""
        given: Json = {"run_id": "run_1", "video_id": "vid_1"}
        if self.step in ("image", "clip", "video"):
            given["story"] = {"scenes": self.numbers}
        return given if self.step is None else {**given, "step": self.step}

    @property
    def numbers(self) -> list[int]:
        """The scenes of the story."""
        return list(range(1, self.scenes + 1))

    @property
    def case(self) -> Json:
        """The path as JSON."""
        done = {**DONE, "scenes": self.numbers}
        return {"input": self.given, "answers": {n: self.answers.get(n, [done]) for n in TASKS}}


@dataclass(frozen=True)
class Walked:
    """How an execution went."""

    ended: Ended
    calls: list[Json]  # state and event of each task's attempts
    entered: list[Json]  # state and input


class Answers:
    """What the tasks of a case answer in turn."""

    def __init__(self, case: Json) -> None:
        self._left = {state: list(answers) for state, answers in case["answers"].items()}

    def next(self, state: str) -> Json:
        """Return the task's next answer; the last one stays."""
        left = self._left[state]
        return left.pop(0) if len(left) > 1 else left[0]


def fails(error: str) -> Json:
    """The answer of a task that fails."""
    return {"fails": error}


def paths() -> Iterator[Path]:
    """Every path, the short ones first."""
    yield Path("ids alone", None)
    for part in RunScope:
        yield Path(f"only {part.value}", part.value, scenes=3)
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
        made = {**DONE, "narrated": True, "scenes": [1]}
        answers = {**narrated, name: [waiting, waiting, made]}
        yield Path(f"{name} waits twice", "all", answers)
    running = {"status": "running", "wait_seconds": 30}
    yield Path("clips are polled", "all", {"CheckClip": [running, running, DONE]})
    second = {"PaintImage": [DONE, fails("PermanentError")]}
    yield Path("the second scene fails", "all", second, scenes=2)
    for name, state in TASKS.items():
        yield from _failures(name, state)


def _failures(name: str, state: Json) -> Iterator[Path]:
    answers: dict[str, list[Json]] = {}
    if name == "SpeakNarration":
        answers = {"PaintImage": [{**DONE, "narrated": True}]}
    if name in BEFORE:
        answers = {BEFORE[name]: [fails("PermanentError")]}
    step, done = STEP[name].value, {**DONE, "scenes": [1]}
    for error in ("PermanentError", "States.Timeout", "Lambda.Unknown", "Lambda.ServiceException"):
        yield Path(f"{name}: {error}", step, {**answers, name: [fails(error)]})
    for retrier in state["Retry"]:
        last = retrier["MaxAttempts"]
        for error in retrier["ErrorEquals"]:
            passing = {**answers, name: [fails(error), done]}
            yield Path(f"{name}: {error} once", step, passing)
        passing = {**answers, name: [*[fails(error)] * last, done]}
        yield Path(f"{name}: {error}, as often as it may", step, passing)
        yield Path(f"{name}: {error}, once too often", step, {**answers, name: [fails(error)]})


def walk(path: Path) -> Walked:
    """Run the path in the project's own interpreter."""
    calls: list[Json] = []
    entered: list[Json] = []
    answers = Answers(path.case)

    def invoke(state: str, _function: str, event: Json) -> Json:
        calls.append([state, event])
        answer = answers.next(state)
        if "fails" in answer:
            raise TaskFailed(answer["fails"])
        return answer

    machine = Machine(
        invoke, lambda _seconds: None, entered=lambda state, given: entered.append([state, given])
    )
    return Walked(machine.run_to_end(path.given), calls, entered)
