"""Running the cells of the fault matrix, judging them, and printing the table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.faults.case import Case, Judgement
from tests.faults.matrix import DONE, ID_LOST, PARKED, STEPS, Cell, Required, rows
from tests.faults.world import Lane
from tests.stand_ins.process import StandIn


@dataclass(frozen=True)
class CellResult:
    """The result of a cell, in the form of the requirement, and the judgement."""

    cell: Cell
    came: Required
    judgement: Judgement

    @property
    def right(self) -> bool:
        """Return whether the result is as required and has no other defect."""
        return self.came == self.cell.required and not self.judgement.unsound


def attempt(lane: Lane, cell: Cell, *, naive: bool = False) -> CellResult:
    """Run with the fault, resume after it has ended, and judge."""
    case = Case(lane, on_unknown=cell.on_unknown, naive=naive, narrated=cell.step == "speech")
    with _scripted(lane, cell):
        first = case.execute(cell.strikes)
        error = case.video.error
        resumed = case.resume() if first != DONE and cell.stays else ""
    if first != DONE and not cell.stays:
        resumed = case.resume()
    if resumed in (PARKED, ID_LOST) and cell.on_unknown == "resubmit_once":
        resumed = case.resume()
    judgement = case.judge()
    step, _ = STEPS[cell.step]
    came = Required(
        first=first,
        resumed=resumed,
        calls=judgement.calls.get(step, 0),
        states=tuple(state for state in judgement.states.get(step, ()) if state != "refused"),
        told=error["billed"] if error else None,
        flagged=judgement.flagged,
    )
    return CellResult(cell, came, judgement)


@contextmanager
def _scripted(lane: Lane, cell: Cell) -> Iterator[None]:
    vendors: dict[str, StandIn] = {"openai": lane.openai, "runway": lane.runway}
    for vendor in vendors.values():
        vendor.clear()  # resets the call counters
    for script in cell.scripts:
        vendors[script.vendor].fault(
            script.endpoint,
            script.mode,
            call=script.call,
            times=script.times,
            **script.options,
        )
    changed = dict.fromkeys(cell.settings)
    if cell.settings:
        lane.runway.set(**cell.settings)
    try:
        yield
    finally:
        if changed:
            lane.runway.set(**changed)
        for vendor in vendors.values():
            vendor.release_hanging_calls()
            vendor.clear()


def table(tried: Sequence[CellResult]) -> str:
    """Return the matrix: + as required, NO otherwise; two marks stand for the two policies."""
    width = max(len(fault) for fault in rows([one.cell for one in tried]))
    lines = [f"{'':<{width}}" + "".join(f"{step:>10}" for step in STEPS)]
    for fault in rows([one.cell for one in tried]):
        marks: dict[str, list[str]] = {step: [] for step in STEPS}
        for one in tried:
            if one.cell.fault == fault:
                marks[one.cell.step].append("+" if one.right else "NO")
        lines.append(f"{fault:<{width}}" + "".join(f"{' '.join(m):>10}" for m in marks.values()))
    right = sum(one.right for one in tried)
    lines += [
        "",
        f"cells tried         {len(tried)}",
        f"as required         {right}",
        f"not                 {len(tried) - right}",
        f"paid twice          {sum(one.judgement.paid_twice for one in tried)}",
        f"flagged duplicates  {sum(one.judgement.flagged for one in tried)}",
        f"lost                {sum(one.judgement.lost for one in tried)}",
        f"stuck               {sum(one.judgement.stuck for one in tried)}",
    ]
    return "\n".join(lines)


def difference(one: CellResult) -> str:
    """Return a line that describes the difference from the requirement."""
    wanted: dict[str, Any] = vars(one.cell.required)
    other = {k: (v, wanted[k]) for k, v in vars(one.came).items() if v != wanted[k]}
    differences = "; ".join(f"{k}: {came!r}, not {want!r}" for k, (came, want) in other.items())
    return f"{one.cell.name}: {differences} {one.judgement.unsound or ''}"
