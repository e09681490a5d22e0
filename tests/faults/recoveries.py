"""Crash points of the recoveries of a paid clip, which an undisturbed run does not use.

Each recovery starts with faults of the vendor. In its last phase every port call gets a fault, as
in `crash_points`. Then the video is resumed until it ends.

order again   a job fails free of charge, and the run submits another
adopt         a job was missing and is running again when the video is resumed
fetch again   a clip was broken while the run retried, and is valid when the video is resumed
sweep         a run ended without fetching a finished clip, and the sweeper collects it
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clip.job import MAX_COLLECTIONS
from tests.faults.case import Case
from tests.faults.crash_points import BREAKS, DONE, KILLS, PARKED, Point, Verdict, resumed
from tests.faults.matrix import Script
from tests.faults.ports import Strike
from tests.faults.world import Lane

_PHASES = ("StartClip", "CheckClip", "CollectClip", "(swept)")


@dataclass(frozen=True, eq=False)
class Way:
    """A recovery: the faults, the status of the first run, the struck phase, and the paid clips."""

    name: str
    scripts: tuple[Script, ...]
    first: str
    phase: str
    calls: int = 1


WAYS = (
    Way(
        "order again",
        (Script("runway", "image_to_video", "failed", options={"code": "INTERNAL", "credits": 0}),),
        DONE,
        "run",
        calls=2,
    ),
    Way(
        "adopt",
        (Script("runway", "image_to_video", "late", options={"seconds": 700, "work": 900}),),
        "failed provider.job_gone",
        "resume",
    ),
    Way(
        "fetch again",
        (Script("runway", "outputs", "corrupt", MAX_COLLECTIONS),),
        "failed media.invalid",
        "resume",
    ),
    Way(
        "sweep",
        (Script("runway", "outputs", "503", MAX_COLLECTIONS),),
        "failed provider.unreachable",
        "sweep",
    ),
)


def _walk(lane: Lane, way: Way, *strikes: Sequence[Strike]) -> tuple[Case, str]:
    """Run the recovery to the end of its struck phase; return the status of the video."""
    case = Case(lane)
    lane.runway.clear()
    for script in way.scripts:
        lane.runway.fault(
            script.endpoint, script.mode, call=script.call, times=script.times, **script.options
        )
    first = case.execute(*(strikes if way.phase == "run" else ()))
    if way.phase == "run":
        return case, first
    if first != way.first:
        raise AssertionError(f"{way.name}: {first}")
    lane.runway.clear()
    return case, case.resume(*strikes) if way.phase == "resume" else case.sweep(*strikes)


def passages(lane: Lane, way: Way) -> list[str]:
    """Return the passages of the undisturbed last phase. Raises AssertionError if it fails."""
    case, ended = _walk(lane, way)
    passed = case.passed
    if way.phase == "sweep":
        states = case.judge().states[("clip", 1)]
        if states != ("succeeded",):
            raise AssertionError(f"{way.name}: {states}")
        ended = case.resume()
    judgement = case.judge()
    calls = judgement.calls[("clip", 1)]
    if ended != DONE or judgement.unsound or calls != way.calls:
        raise AssertionError(f"{way.name}: {ended}, {judgement}")
    return passed


def points(names: Sequence[str]) -> Iterator[Point]:
    """Yield every strike at a passage that concerns clips."""
    for number, name in enumerate(names, 1):
        if name.startswith(_PHASES):
            yield from (Point(number, name, how) for how in (*KILLS, *BREAKS))


def share(names: Sequence[str]) -> Iterator[Point]:
    """Yield each name once with alternating faults, deterministically."""
    seen: set[str] = set()
    for point in points(names):
        if point.name not in seen and point.how == (*KILLS, *BREAKS)[len(seen) % 4]:
            seen.add(point.name)
            yield point


def strike(lane: Lane, way: Way, point: Point, doubts: set[tuple[int, str]]) -> Verdict:
    """Strike once, resume until the video ends, and judge."""
    case, ended = _walk(lane, way, [Strike(point.how, at=point.number)])
    if way.phase == "sweep":
        case.sweep()
    final = resumed(case, ended, (DONE, *PARKED))
    judgement = case.judge()
    in_doubt = (point.number, point.how) in doubts
    wrong = []
    if judgement.unsound:
        wrong.append("the books, the ledger or the store")
    if final not in (PARKED if in_doubt else (DONE,)):
        wrong.append("did not end as it should")
    if not in_doubt and judgement.calls[("clip", 1)] != way.calls:
        wrong.append("paid for more than it should")
    return Verdict(replace(point, way=way.name), ended, final, judgement, tuple(wrong))
