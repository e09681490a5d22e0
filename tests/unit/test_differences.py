"""docs/differences.md names an existing check for every difference from AWS."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "differences.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^(\d+)\. \*\*", DOCUMENT, flags=re.MULTILINE)


def rows() -> Iterator[tuple[str, str]]:
    """Yield the first and the last column of each row of the table."""
    for line in DOCUMENT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[3] != "checked by":
            yield cells[0], cells[3]


def names_in(path: Path) -> set[str]:
    """Return the names of all functions and methods in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_differences_table_is_parsed() -> None:
    assert len(list(rows())) > 40


@pytest.mark.parametrize(("difference", "checks"), list(rows()))
def test_difference_names_an_existing_check(difference: str, checks: str) -> None:
    checks_named = re.findall(r"`([^`]+)`", checks)
    steps = re.findall(r"first deployment (\d+)", checks)
    assert checks_named or steps, difference
    assert set(steps) <= set(STEPS), steps
    targets = re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    for name in checks_named:
        if name.startswith("make "):
            assert name.removeprefix("make ") in targets, name
            continue
        file, _, test = name.partition("::")
        assert (PROJECT / file).is_file(), name
        assert not test or test in names_in(PROJECT / file), name


def test_first_deployment_steps_are_numbered_in_order() -> None:
    assert [str(number + 1) for number in range(len(STEPS))] == STEPS
    assert len(STEPS) > 5
