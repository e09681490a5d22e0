"""Runway's tasks: PENDING, THROTTLED, RUNNING, then SUCCEEDED, FAILED or deleted.

A task's state is computed from the clock when it is read, so nothing runs in the background and a
test can advance the clock by hours. With `concurrency` active tasks of a model, further ones are
THROTTLED until one ends.

Fault modes of a submission that apply to its task:

stuck_pending stuck_throttled stuck_running   forever
throttled       THROTTLED for `seconds` (default 1), then as usual
unknown_status  the status `status` (default PAUSED) for `seconds` (default forever)
late            GET returns 404 for the first `seconds` (default 1); it runs for `work` seconds
failed          FAILED at its end with `code` (see FAILURES; None: no code), `failure`, `credits`
no_output       SUCCEEDED with an empty list of outputs for `seconds` (default forever)
"""

import heapq
import math
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from tests.stand_ins import vectors
from tests.stand_ins.faults import Fault

MODES = frozenset(
    {
        *("stuck_pending", "stuck_throttled", "stuck_running", "throttled", "unknown_status"),
        *("late", "failed", "no_output"),
    }
)
_FOREVER = math.inf


def _failures() -> dict[str | None, tuple[str, int]]:
    bodies = [
        vectors.load(name)["body"] for name in vectors.names("response", vendor="runway_task_fail")
    ]
    return {body.get("failureCode"): (body["failure"], body["cost"]["credits"]) for body in bodies}


# failureCode -> (message, 0 if the credits are refunded)
FAILURES = _failures()


@dataclass(slots=True)
class Task:
    """An accepted task. Times are seconds since 1970; `start` is when it leaves THROTTLED."""

    model: str
    credits: int
    size: tuple[int, int]
    seconds: int
    colour: tuple[int, int, int]
    created: float
    pending: float
    running: float
    fault: Fault | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    start: float = 0
    settled: bool = False
    outputs: dict[str, float] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """The mode of the fault of its submission."""
        return self.fault.mode if self.fault else ""

    def has_output(self, now: float) -> bool:
        """Return whether the task shows its output after success."""
        return self.mode != "no_output" or now >= self.created + self.option("seconds", _FOREVER)

    def option(self, name: str, default: Any) -> Any:
        """Return an option of the fault."""
        return self.fault.options.get(name, default) if self.fault else default

    @property
    def earliest(self) -> float:
        """The earliest time to leave THROTTLED, if there is capacity."""
        if self.mode == "stuck_throttled":
            return _FOREVER
        return self.created + (self.option("seconds", 1) if self.mode == "throttled" else 0)

    @property
    def end(self) -> float:
        """The time of the final state."""
        stuck = self.mode in ("stuck_pending", "stuck_running")
        if stuck:
            return _FOREVER
        work: float = self.option("work", self.running)
        return self.start + self.pending + work

    def status(self, now: float) -> str:
        """Return the status at a time."""
        if self.mode == "unknown_status" and now < self.created + self.option("seconds", _FOREVER):
            return str(self.option("status", "PAUSED"))
        if now < self.start:
            return "THROTTLED"
        if self.mode == "stuck_pending" or now < self.start + self.pending:
            return "PENDING"
        if now < self.end:
            return "RUNNING"
        return "FAILED" if self.mode == "failed" else "SUCCEEDED"

    def cost(self) -> int:
        """Return the credits that are not refunded after the end."""
        if self.mode != "failed":
            return self.credits
        _, is_charged = self._failure()
        return int(self.option("credits", self.credits if is_charged else 0))

    def _failure(self) -> tuple[str, int]:
        return FAILURES.get(self.option("code", "INTERNAL"), FAILURES["INTERNAL"])

    def view(self, now: float) -> dict[str, Any] | None:
        """Return the response of GET without outputs, or None if it is not found yet."""
        if self.mode == "late" and now < self.created + self.option("seconds", 1):
            return None
        status = self.status(now)
        moment = datetime.fromtimestamp(self.created, UTC)
        body: dict[str, Any] = {
            "id": self.id,
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "status": status,
        }
        if status == "RUNNING":
            done = (now - self.start - self.pending) / self.running if self.end < _FOREVER else 0.45
            body["progress"] = round(min(max(done, 0.0), 0.99), 2)
        if status == "FAILED":
            code = self.option("code", "INTERNAL")
            body["failure"] = self.option("failure", self._failure()[0])
            if code is not None:
                body["failureCode"] = code
        ended = status in ("FAILED", "SUCCEEDED")
        body["cost" if ended else "estimatedCost"] = {
            "credits": self.cost() if ended else self.credits
        }
        return body


class Tasks:
    """All tasks that are not deleted."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._born: list[tuple[str, float]] = []
        self.lock = RLock()

    def add(self, task: Task, concurrency: int | None) -> None:
        """Add a task."""
        with self.lock:
            task.start = _FOREVER
            self._tasks[task.id] = task
            self._born.append((task.model, task.created))
            self._schedule(task.model, task.created, concurrency)

    def find(self, task_id: str) -> Task | None:
        """Return the task of that id."""
        return self._tasks.get(task_id)

    def of_output(self, token: str) -> Task | None:
        """Return the task of an output's URL."""
        return next((task for task in self._tasks.values() if token in task.outputs), None)

    def all(self) -> list[Task]:
        """Return the tasks."""
        return list(self._tasks.values())

    def remove(self, task: Task, now: float, concurrency: int | None) -> None:
        """Delete a task and schedule waiting ones."""
        with self.lock:
            del self._tasks[task.id]
            self._schedule(task.model, now, concurrency)

    def born_since(self, model: str, moment: float) -> int:
        """Return the number of tasks of the model added since a time."""
        return len([1 for name, created in self._born if name == model and created > moment])

    def _schedule(self, model: str, now: float, concurrency: int | None) -> None:
        mine = [task for task in self._tasks.values() if task.model == model]
        busy = [task.end for task in mine if task.start <= now < task.end]
        free = [now] * (max(0, concurrency - len(busy)) if concurrency else len(mine))
        places = sorted([*free, *busy])
        for task in mine:
            if task.start > now and task.earliest < _FOREVER:
                place = heapq.heappop(places) if places else _FOREVER
                task.start = max(task.earliest, place)
                heapq.heappush(places, task.end)


def token(now: float, seconds: float) -> tuple[str, float]:
    """Return the `_jwt` of an output's URL and its expiry time."""
    return f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(16)}", (
        now + seconds
    )
