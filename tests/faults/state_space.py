"""Model checking: all sequences of failures, fixes, cancellations and resumes up to a depth.

Snapshots that agree in everything that decides the future are one state (`describe`). From each
state every action is tried under every fault that can occur there. Then the search looks for a
sequence of actions without faults that ends in the finished video. Two kinds of dead ends count:

no way by resume   `POST /v1/videos/{id}/resume` with its changes never finishes the video, although
                   the whole video was requested
no way at all      not even with the endpoints for one step

In addition, no state may show `succeeded` for a whole video without a file, and no step may be paid
for twice without a flag in the ledger.

    python -m tests.faults.state_space [DEPTH]
"""

import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.faults import actions
from tests.faults.actions import Action
from tests.faults.rehearsal import InProcessProduct, Snapshot, rehearsal
from tests.faults.scripted_vendors import (
    DECLINED_IMAGE,
    DECLINED_MOTION,
    DECLINED_STORY,
    SCENES,
)

State = tuple[Any, ...]


@dataclass
class SearchResult:
    """The result of a search. A state is named by the first actions that lead to it."""

    depths: Counter[int] = field(default_factory=Counter)
    actions: int = 0
    history_of: dict[State, tuple[str, ...]] = field(default_factory=dict)
    finished: int = 0
    not_by_resume: list[State] = field(default_factory=list)
    not_at_all: list[State] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0

    def table(self) -> str:
        """Return the figures and the actions that lead to the first dead ends."""
        history = self.history_of
        return "\n".join(
            [
                *(f"states after {n} actions      {self.depths[n]}" for n in sorted(self.depths)),
                f"reachable states            {len(history)}",
                f"of them finished videos     {self.finished}",
                f"actions tried               {self.actions}",
                f"no way by resume            {len(self.not_by_resume)}",
                f"no way at all               {len(self.not_at_all)}",
                f"wrong in itself             {len(self.wrong)}",
                f"in {self.seconds:.0f} s",
                *(f"  no way by resume: {'; '.join(history[s])}" for s in self.not_by_resume[:5]),
                *(f"  no way at all: {'; '.join(history[s])}" for s in self.not_at_all[:5]),
                *(f"  {text}" for text in self.wrong[:5]),
            ]
        )

    @property
    def bad(self) -> int:
        """The number of violations."""
        return len(self.not_by_resume) + len(self.not_at_all) + len(self.wrong)


# -- the search ------------------------------------------------------------------------------------
@dataclass
class Search:
    """A search. `snapshots` are those of the states that are not explored yet."""

    stage: InProcessProduct
    depth: int
    found: SearchResult = field(default_factory=SearchResult)
    tried: dict[tuple[State, Action], tuple[State, Snapshot] | None] = field(default_factory=dict)
    leading: dict[bool, set[State]] = field(default_factory=lambda: {True: set(), False: set()})

    def run(self, first: Iterable[Action] | None = None) -> SearchResult:
        """Explore from these actions; then look for a way from each state to the finished video."""
        started, empty = time.monotonic(), self.stage.snapshot()
        waiting: deque[tuple[State, Snapshot, int]] = deque()
        for action in first or actions.begins():
            if to := self._act(empty, action):
                self._meet(*to, (str(action),), 1, waiting)
        while waiting:
            state, snapshot, level = waiting.popleft()
            history = self.found.history_of[state]
            if level < self.depth:
                for action in actions.everything(_name(snapshot)):
                    if not _can_strike(action.mode, state):
                        continue
                    if to := self._try(state, snapshot, action):
                        self._meet(*to, (*history, str(action)), level + 1, waiting)
            self._look_for_ways(state, snapshot)
        self.found.seconds = time.monotonic() - started
        return self.found

    def _meet(
        self,
        state: State,
        snapshot: Snapshot,
        history: tuple[str, ...],
        level: int,
        waiting: "deque[tuple[State, Snapshot, int]]",
    ) -> None:
        found = self.found
        if state in found.history_of:
            return
        found.history_of[state] = history
        found.depths[level] += 1
        found.finished += _is_finished(state)
        found.wrong += _faults_of(self.stage, state, snapshot, "; ".join(history))
        waiting.append((state, snapshot, level))

    def _try(
        self, state: State, snapshot: Snapshot, action: Action
    ) -> tuple[State, Snapshot] | None:
        """Return the resulting state; None if the action is rejected or its fault did not occur."""
        if (state, action) not in self.tried:
            self.tried[state, action] = self._act(snapshot, action)
        return self.tried[state, action]

    def _act(self, snapshot: Snapshot, action: Action) -> tuple[State, Snapshot] | None:
        stage = self.stage
        stage.restore(snapshot)
        self.found.actions += 1
        reply = stage.call(action.method, action.path, action.body, mode=action.mode)
        if reply.status >= 500:
            self.found.wrong.append(f"{action} is answered {reply.status}: {reply.text}")
        if reply.status not in (200, 202) or (action.mode != "ok" and not stage.vendors.struck):
            return None
        after = stage.snapshot()
        return describe(after), after

    def _look_for_ways(self, state: State, snapshot: Snapshot) -> None:
        """Record the state if no actions without faults lead to the finished video."""
        if _is_finished(state) or self._leads(state, snapshot, by_resume=True):
            return
        if state[1]:  # the whole video was requested
            self.found.not_by_resume.append(state)
        if not self._leads(state, snapshot, by_resume=False):
            self.found.not_at_all.append(state)

    def _leads(self, start: State, snapshot: Snapshot, *, by_resume: bool) -> bool:
        """Return whether actions without faults lead to the finished video (depth-first search)."""
        leading, met = self.leading[by_resume], {start}
        path = [(start, snapshot, self._ways(snapshot, by_resume=by_resume))]
        while path:
            state, before, ways = path[-1]
            to = next((to for way in ways if (to := self._try(state, before, way))), None)
            if to is None:
                path.pop()
            elif _is_finished(to[0]) or to[0] in leading:
                leading |= {state for state, _, _ in path}
                return True
            elif to[0] not in met:
                met.add(to[0])
                path.append((*to, self._ways(to[1], by_resume=by_resume)))
        return False

    @staticmethod
    def _ways(snapshot: Snapshot, *, by_resume: bool) -> Iterator[Action]:
        name = _name(snapshot)
        yield from actions.resumes(name)
        if not by_resume:
            yield from actions.parts(name)


def _name(snapshot: Snapshot) -> str:
    """Return the name of the only video."""
    name: str = snapshot["video_sessions"][0]["request_id"]
    return name


def _can_strike(mode: str, state: State) -> bool:
    """Return whether the step of the fault can still run."""
    has_story, steps = state[2], state[5]
    image_there, clip_there = steps[-2][0], steps[-1][0]
    match mode.split():
        case ["story", *_]:
            return not has_story
        case ["image", *_]:
            return not image_there or mode == "image refused" or "unknown" in mode
        case ["clip", *_] | ["canceled", "at", _]:
            return not clip_there or mode != "clip gone"
        case _:
            return True


def describe(snapshot: Snapshot) -> State:
    """Return the state: everything that decides the future of the video."""
    (video,) = snapshot["video_sessions"]
    runs = sorted(snapshot["runs"], key=lambda run: run["created_at"])
    calls = snapshot.get("provider_jobs", [])
    steps = []
    for scene in range(1, SCENES + 1):
        for kind, table, number, prompt in (
            ("image", "video_frames", "frame_number", "prompt"),
            ("clip", "video_clips", "clip_number", "optimized_prompt"),
        ):
            rows = [row for row in snapshot.get(table, []) if row[number] == scene]
            steps.append(_of_step(kind, scene, rows, prompt, calls))
    has_story = bool(video.get("story_title"))
    undone = [(run["step"], run["status"]) for run in runs if run["status"] != "succeeded"]
    return (
        video["status"],
        any(run["step"] == "all" for run in runs),
        has_story,
        DECLINED_STORY in video["original_prompt"] and not has_story,
        _ledger("story", 0, 1, calls),
        tuple(steps),
        any(row["total_clips"] >= SCENES for row in snapshot.get("final_videos", [])),
        video["on_unknown"],
        float(video["max_cost_usd"] or 9) < 1,
        undone[-1] if undone else None,
        (runs[-1]["step"], runs[-1]["status"]),
        video["frame_count"],
    )


def _is_finished(state: State) -> bool:
    return bool(state[0] == "succeeded" and state[6])


def _of_step(
    kind: str, scene: int, rows: list[dict[str, Any]], prompt: str, calls: list[dict[str, Any]]
) -> tuple[Any, ...]:
    """Describe a scene's image or clip: what exists and what would be made."""
    if not rows:
        return (False, None, False, "")
    newest = max(rows, key=lambda row: row["version"])
    existing = [r for r in rows if r["status"] == "succeeded" and not r.get("invalidated_at")]
    text = newest.get(prompt) or ""
    declined = not existing and (DECLINED_IMAGE in text or DECLINED_MOTION in text)
    ledger = "" if existing else _ledger(kind, scene, newest["version"], calls)
    return (bool(existing), newest["status"], declined, ledger)


def _ledger(kind: str, scene: int, version: int, calls: list[dict[str, Any]]) -> str:
    rows = [call for step, call in _calls(calls) if step == (kind, scene, version)]
    return f"{rows[-1]['state']}{' with a job' if rows[-1].get('job') else ''}" if rows else ""


def _calls(calls: list[dict[str, Any]]) -> list[tuple[tuple[str, int, int], dict[str, Any]]]:
    """Return the calls that were not refused, with their steps, in order."""
    return [
        ((call["kind"], call["scene"], call["version"]), call)
        for call in sorted(calls, key=lambda call: int(call["attempt"]))
        if call["state"] != "refused"
    ]


def _faults_of(
    stage: InProcessProduct, state: State, snapshot: Snapshot, history: str
) -> Iterator[str]:
    """Yield contradictions between the API, the ledger and the existing results."""
    stage.restore(snapshot)  # the state may have been reached before by another search
    video = stage.gateway.call("GET", f"/v1/videos/{_name(snapshot)}").json()
    status, has_whole = state[0], state[1]
    if has_whole and status == "succeeded" and video["output"] is None:
        yield f"succeeded without a video: {history}"
    if (status == "failed") != (video["error"] is not None):
        yield f"{status} with the error {video['error']}: {history}"
    by_step = defaultdict(list)
    for step, call in _calls(snapshot.get("provider_jobs", [])):
        by_step[step].append(call)
    for calls in by_step.values():
        bought = sum(call["state"] in ("submitted", "succeeded") for call in calls)
        silent = any(
            before["state"] in ("unknown", "submitting") and not after["possible_duplicate"]
            for before, after in pairwise(calls)
        )
        if bought > 1 or silent:
            yield f"paid twice: {history}"


def explore(root: Path, depth: int) -> SearchResult:
    """Search with a new in-process product."""
    with rehearsal(root) as stage:
        return Search(stage, depth).run()


def main() -> int:
    """Print the table; return 1 if there are violations."""
    depth = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        found = explore(Path(folder), depth)
    print(found.table())
    return 1 if found.bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
