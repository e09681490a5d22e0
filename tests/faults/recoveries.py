"""Crash points of the ways to a paid clip that a run does not pass when all goes well.

Each way begins with faults of the vendor. In its last phase every passage through a port is struck,
as in `crash_points`: the worker is killed before it and after it, and the connection breaks instead
of it and instead of its answer. Then the video is resumed until it has ended for good.

order again   a job fails free of charge, and the run orders another
adopt         a job was gone and is at work again when the video is resumed
fetch again   a clip was broken for as long as a run tries, and is whole when the video is resumed
sweep         a run ended with a finished clip that nobody fetched, and the sweeper has it collected
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
    """A way to a clip: the faults, how the first run ends, what is struck, how many are paid."""

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
    """Go the way up to the end of its struck phase; return how the video stands then."""
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
    """Return the passages of the way's last phase, undisturbed; raises AssertionError."""
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
    """Yield every strike at what concerns clips."""
    for number, name in enumerate(names, 1):
        if name.startswith(_PHASES):
            yield from (Point(number, name, how) for how in (*KILLS, *BREAKS))


def share(names: Sequence[str]) -> Iterator[Point]:
    """Yield each name once, in one way after the other: the same strikes each time."""
    seen: set[str] = set()
    for point in points(names):
        if point.name not in seen and point.how == (*KILLS, *BREAKS)[len(seen) % 4]:
            seen.add(point.name)
            yield point


def strike(lane: Lane, way: Way, point: Point, doubts: set[tuple[int, str]]) -> Verdict:
    """Strike once, go on until the video has ended for good, and judge."""
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
