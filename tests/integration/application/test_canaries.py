"""The canary search finds canaries in columns of every type."""

import pytest

from common.database import Database
from tests.support import canaries

MARKS = {"planted": "CANARYwrenPLANTED", "absent": "CANARYwrenABSENT"}

# Each statement stores the canary as a bug might.
PLANTED = {
    "stray.words": "INSERT INTO stray (words) VALUES ('Dear ' || %s || '!')",
    "stray.facts": "INSERT INTO stray (facts) VALUES (jsonb_build_object('a', ARRAY['b', %s]))",
    "stray.list": "INSERT INTO stray (list) VALUES (ARRAY['a', %s])",
    "stray.bytes": "INSERT INTO stray (bytes) VALUES ('\\x00ff' || convert_to(%s, 'UTF8'))",
}


@pytest.mark.parametrize("column", list(PLANTED))
def test_canary_is_found_in_its_column(column: str, database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("CREATE TABLE stray (words text, facts jsonb, list text[], bytes bytea)")
        assert canaries.columns(cursor, MARKS) == {"planted": set(), "absent": set()}
        cursor.execute(PLANTED[column], (MARKS["planted"],))
        found_by_mark = canaries.columns(cursor, MARKS)
        cursor.execute("DROP TABLE stray")
    assert found_by_mark == {"planted": {column}, "absent": set()}
    assert canaries.misplaced(found_by_mark, {"absent": {column}}) == {"planted": {column}}
    assert canaries.misplaced(found_by_mark, {"planted": {column}}) == {}


def test_canary_is_found_in_text() -> None:
    assert canaries.found(MARKS, f'{{"prompt":"{MARKS["planted"]}"}}') == {"planted"}
