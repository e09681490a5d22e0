"""Every point of a run where the worker can die: killed there, resumed, and judged.

The judge is the vendors' own books, not our ledger: a step is paid twice if the books hold more
calls for it than one, and that is forgiven only where the ledger flags it under the owner's policy.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults.world import World

_STEPS = 1 + 2 * 2  # a story, and a picture and a clip for each of two scenes
_RESUMES = 3


@dataclass(frozen=True)
class Verdict:
    """What a kill at one point led to."""

    point: int
    name: str
    ended: str
    charges: int
    paid_twice: int
    flagged: int
    lost: int
    stuck: bool


def points(world: World) -> list[str]:
    """Return the points of an undisturbed run, in order."""
    video_id, run_id = world.admit()
    before = world.charges()
    outcome = world.work(video_id, run_id)
    if outcome.ended != "succeeded" or world.charges() - before != _STEPS:
        raise AssertionError(f"an undisturbed run: {outcome.ended}, {world.ledger(video_id)}")
    return outcome.points


def kill(
    world: World, point: int, name: str, *, on_unknown: str = "fail", naive: bool = False
) -> Verdict:
    """Kill a worker at the point, resume until the run ends for good, and judge."""
    video_id, run_id = world.admit(on_unknown=on_unknown)
    before = world.charges()
    ended = world.work(video_id, run_id, kill_at=point, naive=naive).ended
    for _ in range(_RESUMES):
        if ended == "succeeded" or "outcome_unknown" in ended:
            break
        ended = world.work(video_id, world.resume(video_id), naive=naive).ended
    charges = world.charges() - before
    ledger = world.ledger(video_id)
    unknown = sum(row["state"] == "unknown" for row in ledger)
    flagged = sum(row["possible_duplicate"] for row in ledger)
    paid = sum(row["state"] in ("submitted", "succeeded") for row in ledger)
    # What the books hold beyond our paid calls must be a call that we call unknown, and one that
    # we call paid must be in the books.
    surplus = charges - paid - unknown
    return Verdict(
        point=point,
        name=name,
        ended=ended,
        charges=charges,
        paid_twice=max(0, surplus),
        flagged=flagged,
        lost=max(0, paid - charges),
        stuck=world.status(video_id) in ("queued", "running"),
    )


def share(names: list[str], every: int) -> Iterable[int]:
    """Return the numbers of some points: the first calls of each kind, and every so many more."""
    for number, name in enumerate(names, start=1):
        if number % every == 0 or names[:number].count(name) <= 2:
            yield number


def table(verdicts: list[Verdict]) -> str:
    """Return the outcome as a table."""
    succeeded = sum(v.ended == "succeeded" for v in verdicts)
    unknown = sum("outcome_unknown" in v.ended for v in verdicts)
    return "\n".join(
        (
            f"points tried        {len(verdicts)}",
            f"ended well          {succeeded}",
            f"ended as unknown    {unknown}  (parked, not bought again)",
            f"ended otherwise     {len(verdicts) - succeeded - unknown}",
            f"paid twice          {sum(v.paid_twice for v in verdicts)}",
            f"flagged duplicates  {sum(v.flagged for v in verdicts)}",
            f"lost                {sum(v.lost for v in verdicts)}",
            f"stuck               {sum(v.stuck for v in verdicts)}",
        )
    )
