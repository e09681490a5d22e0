"""A deterministic part of the fault matrix (`make faults` runs all), and a control."""

from concurrent.futures import Future

import pytest

from tests.faults import cells, matrix
from tests.faults.cells import CellResult
from tests.faults.matrix import Cell
from tests.faults.world import World

CELLS = {cell.name: cell for cell in matrix.cells()}


def share() -> dict[str, Cell]:
    """Return each fault at one of its steps, which rotates with the faults."""
    selected: dict[str, Cell] = {}
    for number, fault in enumerate(matrix.rows(list(CELLS.values()))):
        of_fault = [cell for cell in CELLS.values() if cell.fault == fault]
        chosen = of_fault[number % len(of_fault)]
        selected[chosen.name] = chosen
    return selected


SHARE = share()


@pytest.fixture(scope="module")
def results(live: World) -> dict[str, "Future[CellResult]"]:
    """The results of all selected cells, which run concurrently over the lanes."""
    return {name: live.submit(cells.attempt, cell) for name, cell in SHARE.items()}


def test_fault_matrix_covers_every_step_and_fault() -> None:
    """Every step and every fault has its cells."""
    assert {cell.step for cell in CELLS.values()} == set(matrix.STEPS)
    assert len(CELLS) > 350


@pytest.mark.parametrize("name", SHARE)
def test_fault_matrix_cell_has_required_result(
    name: str, results: dict[str, "Future[CellResult]"]
) -> None:
    one = results[name].result()
    assert one.right, cells.difference(one)


@pytest.mark.parametrize("name", ["story: charged, then 500", "submit: charged, then reset"])
def test_judge_detects_double_payment_without_protocol_in_matrix(live: World, name: str) -> None:
    one = live.submit(cells.attempt, CELLS[name], naive=True).result()
    assert not one.right
    assert one.judgement.paid_twice == 1
    assert one.came.calls == 2
