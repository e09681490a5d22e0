"""Retired words stay out of the code; docs/glossary.md has the terms to use instead."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("functions", "infra", "layers")
    for path in (PROJECT / folder).rglob("*.py")
    if "offline" not in path.parts  # it draws shots and rooms
)
RETIRED = {
    "wish": "request, spec",
    "wishes": "requests",
    "told": "the noun: warnings, narrations",
    "heard": "audio",
    "seen": "the noun",
    "room": "a directory, or seconds available",
    "shot": "segment",
    "shots": "segments",
    "joint": "boundary",
    "joints": "boundaries",
    "mend": "repair",
    "taken": "received, stored",
    "dropped": "inbox object",
    "verdict": "failure record",
    "survey": "probe",
    "glance": "poster frame",
    "shelf": "media store",
    "bench": "context",
}


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Return every name that the module defines or uses, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno


def retired(source: str) -> list[str]:
    """Return the retired words among the words of the source's identifiers."""
    return [
        f"line {line}: {name} (use: {RETIRED[word.lower()]})"
        for name, line in identifiers(ast.parse(source))
        for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
        if word.lower() in RETIRED
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_module_uses_no_retired_word(path: Path) -> None:
    assert retired(path.read_text(encoding="utf-8")) == []


def test_retired_words_are_found_in_names_of_any_form() -> None:
    source = "class OutputWish:\n    def is_taken(self, room):\n        return self.shot_count\n"
    assert len(retired(source)) == 4
