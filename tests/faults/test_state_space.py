"""A share of the state space (`make faults` explores more), and the control."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import actions
from tests.faults.rehearsal import Rehearsal, rehearsal
from tests.faults.state_space import Search

# How a video stood before its status followed from what exists: as its last run ended. A resume
# went on with the newest run that had not succeeded.
_THE_RULE_OF_BEFORE = """
    CREATE OR REPLACE FUNCTION video_status(video text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT status FROM runs WHERE session_id = video ORDER BY created_at DESC LIMIT 1
    $$;
    CREATE OR REPLACE FUNCTION undone_run(video text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT run_id FROM runs
        WHERE session_id = video AND status IN ('failed', 'canceled')
          AND video_status(video) IN ('failed', 'canceled')
        ORDER BY created_at DESC LIMIT 1
    $$
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Rehearsal]:
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    with rehearsal(tmp_path) as made:
        yield made


SHARE = [action for action in actions.begins() if str(action) == "create (image refused)"]


def test_every_state_has_a_way_to_the_finished_video(stage: Rehearsal) -> None:
    found = Search(stage, depth=2).run(SHARE)
    print(found.table())
    assert len(found.told_by) > 15
    assert found.bad == 0, found.table()


def test_the_search_finds_the_dead_ends_of_the_rule_of_before(stage: Rehearsal) -> None:
    stage.execute(_THE_RULE_OF_BEFORE)
    found = Search(stage, depth=2).run(SHARE)
    print(found.table())
    assert len(found.not_by_resume) > 0
    assert any("succeeded without a video" in text for text in found.wrong)
