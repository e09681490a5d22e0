"""Search for canary secrets in texts and in every column of a database."""

from collections.abc import Iterable, Mapping
from typing import Any

_COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""


def found(canaries: Mapping[str, str], text: str) -> set[str]:
    """Return the names of the canaries that the text contains."""
    return {name for name, canary in canaries.items() if canary in text}


def columns(cursor: Any, canaries: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the columns (`table.column`) that contain each canary, by its name.

    Searches every column of every table, including bytes. `cursor` returns rows as mappings.
    """
    cursor.execute(_COLUMNS)
    all_columns = [tuple(row.values()) for row in cursor.fetchall()]
    assert all_columns
    held: dict[str, set[str]] = {name: set() for name in canaries}
    for table, column, kind in all_columns:
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
    """Return the canaries in columns that are not allowed for them; by default none is."""
    forbidden = {name: found - set(allowed.get(name, ())) for name, found in held.items()}
    return {name: found for name, found in forbidden.items() if found}
