"""A deterministic share of the fault matrix (`make faults` tries all), and the control."""

from concurrent.futures import Future

import pytest

from tests.faults import cells, matrix
from tests.faults.cells import Tried
from tests.faults.matrix import Cell
from tests.faults.world import World

CELLS = {cell.name: cell for cell in matrix.cells()}


def share() -> dict[str, Cell]:
    """Return each fault at one of its steps: at another one for the next fault."""
    found: dict[str, Cell] = {}
    for number, fault in enumerate(matrix.rows(list(CELLS.values()))):
        of_fault = [cell for cell in CELLS.values() if cell.fault == fault]
        chosen = of_fault[number % len(of_fault)]
        found[chosen.name] = chosen
    return found


SHARE = share()


@pytest.fixture(scope="module")
def tried(live: World) -> dict[str, "Future[Tried]"]:
    """All of the share at once, over the lanes; each test waits for its own."""
    return {name: live.submit(cells.attempt, cell) for name, cell in SHARE.items()}


def test_the_matrix_is_whole() -> None:
    """Every step and every fault of the plan has its cells."""
    assert {cell.step for cell in CELLS.values()} == set(matrix.STEPS)
    assert len(CELLS) > 350


@pytest.mark.parametrize("name", SHARE)
def test_what_is_required_comes(name: str, tried: dict[str, "Future[Tried]"]) -> None:
    one = tried[name].result()
    assert one.right, cells.difference(one)


@pytest.mark.parametrize("name", ["story: charged, then 500", "submit: charged, then reset"])
def test_the_judge_catches_a_worker_that_knows_no_protocol(live: World, name: str) -> None:
    one = live.submit(cells.attempt, CELLS[name], naive=True).result()
    assert not one.right
    assert one.judgement.paid_twice == 1
    assert one.came.calls == 2
