"""Crash points: faults at every port call of a run.

A run of two scenes makes about two hundred port calls (passages). At each one the worker is killed
before or after it, or the connection breaks before the request or before the response. Then the
video is resumed until it ends, and judged. The required result follows from the position: the
outcome is unknown exactly where a paid call may have been made and its result is stored neither in
S3 nor in the database. A broken connection anywhere else is retried.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.faults import matrix
from tests.faults.case import SCENES, STEPS, Case, Judgement
from tests.faults.ports import Strike
from tests.faults.world import Lane

KILLS, BREAKS = ("kill_before", "kill_after"), ("cut", "lost")
PARKED, DONE = (matrix.PARKED, matrix.ID_LOST), matrix.DONE
_PAID = ("http POST openai", "http POST runway /v1/image_to_video")
_RESUMES = 4


@dataclass(frozen=True)
class Point:
    """A passage (from 1), its name and its fault; `then` is the strike of the next worker."""

    number: int
    name: str
    how: str
    then: Strike | None = None
    on_unknown: str = "fail"
    narrated: bool = False
    way: str = ""  # the recovery of a clip (`recoveries`)

    @property
    def group(self) -> str:
        """The line of the table."""
        if self.way:
            return self.way
        if self.then:
            return "two kills"
        if self.narrated:
            return "speech"
        return self.how if self.on_unknown == "fail" else "kill, resubmit_once"


@dataclass(frozen=True)
class Verdict:
    """The result of a strike: the status after the first and the last run, and the judgement."""

    point: Point
    first: str
    final: str
    judgement: Judgement
    wrong: tuple[str, ...] = field(default=())


def passages(lane: Lane, *, narrated: bool = False) -> list[str]:
    """Return the passages of an undisturbed run, in order."""
    case = Case(lane, narrated=narrated)
    ended, judgement = case.execute(), case.judge()
    steps = STEPS + (SCENES if narrated else 0)
    if ended != DONE or judgement.unsound or sum(judgement.calls.values()) != steps:
        raise AssertionError(f"an undisturbed run: {ended}, {judgement}")
    return case.passed


def singles(names: Sequence[str]) -> Iterator[Point]:
    """Yield every single strike."""
    for number, name in enumerate(names, 1):
        for how in (*KILLS, *BREAKS):
            yield Point(number, name, how)


def of_speech(points: Iterable[Point]) -> Iterator[Point]:
    """Yield the points of a narrated run that concern narrations."""
    for point in points:
        if point.name.startswith("SpeakNarration"):
            yield replace(point, narrated=True)


def resubmits(names: Sequence[str]) -> Iterator[Point]:
    """Yield the kills that leave a paid call's outcome unknown, with policy `resubmit_once`."""
    for number, how in sorted(doubtful(names)):
        if how in KILLS:
            yield Point(number, names[number - 1], how, on_unknown="resubmit_once")


def pairs(names: Sequence[str], count: int, seed: int = 1) -> Iterator[Point]:
    """Yield pairs of kills: of the worker, and of its successor.

    The second often hits the recording of the first failure, or the resumed run at the same step.
    """
    chance = random.Random(seed)
    for _ in range(count):
        number, second = chance.randint(1, len(names)), chance.randint(1, 40)
        then = Strike(chance.choice(KILLS), at=second)
        yield Point(number, names[number - 1], chance.choice(KILLS), then)


def controls(names: Sequence[str]) -> Iterator[Point]:
    """Yield the points at which a worker without the ledger's protocol pays twice."""
    for number, name in enumerate(names, 1):
        if _is_paid(name):
            yield Point(number, name, "kill_after")
            yield Point(number, name, "lost")


def strike_naively(lane: Lane, point: Point, names: Sequence[str]) -> Verdict:
    """Strike a worker without the ledger's protocol at the same call.

    It makes fewer port calls, so the call is found by its name.
    """
    state, _, call = point.name.partition(" ")
    before = list(names[: point.number - 1]).count(point.name)
    case = Case(lane, naive=True)
    first = case.execute([Strike(point.how, state=state, name=call, skip=before)])
    return Verdict(point, first, resumed(case, first, (DONE,)), case.judge())


def share(names: Sequence[str]) -> Iterator[Point]:
    """Yield a deterministic part of the single strikes.

    It contains all strikes around paid calls, and each name once, with alternating faults.
    """
    doubts, seen = doubtful(names), set[str]()
    for number, name in enumerate(names, 1):
        hows = {how for how in (*KILLS, *BREAKS) if (number, how) in doubts}
        if (number, "kill_after") in doubts:  # also at the commit before the call
            hows.add("lost")
        if name not in seen:
            hows.add((*KILLS, *BREAKS)[len(seen) % 4])
            seen.add(name)
        yield from (Point(number, name, how) for how in sorted(hows))


def doubtful(names: Sequence[str]) -> set[tuple[int, str]]:
    """Return (number, how) of the strikes after which the outcome of a call is unknown.

    These are the strikes from the commit before a paid call until its receipt is in S3.
    """
    doubts: set[tuple[int, str]] = set()
    for call, name in enumerate(names, 1):
        if not _is_paid(name):
            continue
        announced = max(n for n in range(1, call) if names[n - 1].endswith("sql commit"))
        receipt = next(n for n in range(call, len(names)) if names[n - 1].endswith("receipts"))
        doubts |= {(announced, "kill_after"), (receipt, "kill_before")}
        doubts |= {(n, how) for n in range(announced + 1, receipt) for how in KILLS}
        doubts |= {(call, how) for how in BREAKS}
    return doubts


def _is_paid(name: str) -> bool:
    return name.partition(" ")[2].startswith(_PAID)


def strike(lane: Lane, point: Point, doubts: set[tuple[int, str]]) -> Verdict:
    """Strike once, resume until the video ends, and judge."""
    case = Case(lane, on_unknown=point.on_unknown, narrated=point.narrated)
    then = [point.then] if point.then else []
    first = case.execute([Strike(point.how, at=point.number)], then)
    good = (DONE, *PARKED) if point.on_unknown == "fail" else (DONE,)
    final = resumed(case, first, good)
    if final in PARKED:
        final = case.resume()  # which must not pay for it either
    judgement = case.judge()
    wrong = tuple(_faults(point, first, final, judgement, (point.number, point.how) in doubts))
    return Verdict(point, first, final, judgement, wrong)


def resumed(case: Case, ended: str, good: Sequence[str]) -> str:
    """Resume until the status is one of `good`; return the status."""
    for _ in range(_RESUMES):
        if ended in good:
            break
        ended = case.resume()
    return ended


def _faults(
    point: Point, first: str, final: str, judgement: Judgement, in_doubt: bool
) -> Iterator[str]:
    if judgement.unsound:
        yield "the books, the ledger or the store"
    if point.then:
        if final not in (DONE, *PARKED):
            yield "did not end as it should"
        return
    policy = point.on_unknown == "resubmit_once"
    if final not in (PARKED if in_doubt and not policy else (DONE,)):
        yield "did not end as it should"
    if judgement.flagged != (1 if policy else 0):
        yield "flagged what was no possible duplicate, or did not flag what was"
    if point.how in BREAKS and not in_doubt and first != DONE:
        yield "did not heal by itself"


_GROUPS = (*KILLS, *BREAKS, "two kills", "kill, resubmit_once", "speech")


_HEADS = (
    *("tried", "by itself", "resumed", "parked", "otherwise"),
    *("paid twice", "flagged", "lost", "stuck", "wrong"),
)


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as a table."""
    lines = [f"{'':<20}" + "".join(f"{head:>11}" for head in _HEADS)]
    ways = dict.fromkeys(v.point.way for v in verdicts if v.point.way)
    for group in (*_GROUPS, *ways, "all"):
        chosen = [v for v in verdicts if group in ("all", v.point.group)]
        if not chosen:
            continue
        counts = (
            len(chosen),
            sum(v.first == v.final == DONE for v in chosen),
            sum(v.first != v.final == DONE for v in chosen),
            sum(v.final in PARKED for v in chosen),
            sum(v.final not in (DONE, *PARKED) for v in chosen),
            sum(v.judgement.paid_twice for v in chosen),
            sum(v.judgement.flagged for v in chosen),
            sum(v.judgement.lost for v in chosen),
            sum(v.judgement.stuck for v in chosen),
            sum(bool(v.wrong) for v in chosen),
        )
        lines.append(f"{group.replace('_', ' '):<20}" + "".join(f"{n:>11}" for n in counts))
    return "\n".join(lines)
