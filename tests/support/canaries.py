"""Finds marked secrets where they have no business: in texts, and in every column of a database."""

from collections.abc import Iterable, Mapping
from typing import Any

_COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""


def found(canaries: Mapping[str, str], text: str) -> set[str]:
    """Return the names of the canaries that are in the text."""
    return {name for name, canary in canaries.items() if canary in text}


def columns(cursor: Any, canaries: Mapping[str, str]) -> dict[str, set[str]]:
    """Return name of a canary -> the columns (`table.column`) of which a row holds it.

    Every column of every table is looked at, bytes too. `cursor` yields rows as mappings.
    """
    cursor.execute(_COLUMNS)
    places = [tuple(row.values()) for row in cursor.fetchall()]
    assert places
    held: dict[str, set[str]] = {name: set() for name in canaries}
    for table, column, kind in places:
        where = (
            f"position(convert_to(%s, 'UTF8') IN \"{column}\") > 0"
            if kind == "bytea"
            else f'strpos("{column}"::text, %s) > 0'
        )
        for name, canary in canaries.items():
            cursor.execute(f'SELECT 1 AS one FROM "{table}" WHERE {where} LIMIT 1', (canary,))
            if cursor.fetchall():
                held[name].add(f"{table}.{column}")
    return held


def misplaced(
    held: Mapping[str, set[str]], allowed: Mapping[str, Iterable[str]]
) -> dict[str, set[str]]:
    """Return what lies in columns that are not its own; a canary without any may lie nowhere."""
    left = {name: places - set(allowed.get(name, ())) for name, places in held.items()}
    return {name: places for name, places in left.items() if places}
