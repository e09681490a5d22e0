"""A part of the state space (`make faults` explores more), and a control."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import actions
from tests.faults.rehearsal import InProcessProduct, rehearsal
from tests.faults.state_space import Search

# An earlier rule: the status of a video was that of its last run instead of following from existing
# results, and a resume continued the newest run that had not succeeded.
_OLD_STATUS_RULE = """
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
def product(tmp_path: Path) -> Iterator[InProcessProduct]:
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    with rehearsal(tmp_path) as product:
        yield product


SHARE = [action for action in actions.begins() if str(action) == "create (image refused)"]


def test_every_state_leads_to_finished_video(product: InProcessProduct) -> None:
    result = Search(product, depth=2).run(SHARE)
    print(result.table())
    assert len(result.history_of) > 15
    assert result.bad == 0, result.table()


def test_search_finds_dead_ends_of_old_status_rule(product: InProcessProduct) -> None:
    product.execute(_OLD_STATUS_RULE)
    result = Search(product, depth=2).run(SHARE)
    print(result.table())
    assert len(result.not_by_resume) > 0
    assert any("succeeded without a video" in text for text in result.wrong)
