"""The search for canaries finds each that is planted, in columns of every kind."""

import pytest

from common.database import Database
from tests.support import canaries

MARKS = {"planted": "CANARYwrenPLANTED", "absent": "CANARYwrenABSENT"}

# Each takes the mark, as somebody's mistake would write it.
PLANTED = {
    "stray.words": "INSERT INTO stray (words) VALUES ('Dear ' || %s || '!')",
    "stray.facts": "INSERT INTO stray (facts) VALUES (jsonb_build_object('a', ARRAY['b', %s]))",
    "stray.list": "INSERT INTO stray (list) VALUES (ARRAY['a', %s])",
    "stray.bytes": "INSERT INTO stray (bytes) VALUES ('\\x00ff' || convert_to(%s, 'UTF8'))",
}


@pytest.mark.parametrize("column", list(PLANTED))
def test_a_planted_canary_is_found_where_it_is(column: str, database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("CREATE TABLE stray (words text, facts jsonb, list text[], bytes bytea)")
        assert canaries.columns(cursor, MARKS) == {"planted": set(), "absent": set()}
        cursor.execute(PLANTED[column], (MARKS["planted"],))
        held = canaries.columns(cursor, MARKS)
        cursor.execute("DROP TABLE stray")
    assert held == {"planted": {column}, "absent": set()}
    assert canaries.misplaced(held, {"absent": {column}}) == {"planted": {column}}
    assert canaries.misplaced(held, {"planted": {column}}) == {}


def test_a_planted_canary_is_found_in_a_text() -> None:
    assert canaries.found(MARKS, f'{{"prompt":"{MARKS["planted"]}"}}') == {"planted"}
