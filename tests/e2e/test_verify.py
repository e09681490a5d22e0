"""`make verify` against the local cloud: what it runs, and that it leaves nothing behind."""

import pytest

from infra.operator.errors import OperatorError
from infra.operator.verify import verify
from tests.e2e.client import Backstage

ONE_VIDEO = "test_anothers_video_is_404_like_none_at_all"


def test_what_was_made_is_removed_and_its_keys_are_revoked(backstage: Backstage) -> None:
    verify(backstage.link, only=["-k", ONE_VIDEO, "-n0"])
    keys = backstage.rows("SELECT revoked_at FROM api_keys WHERE name = 'make verify'")
    assert len(keys) == 2
    assert all(key["revoked_at"] for key in keys)
    # A video was deleted, and no other is there.
    for table, count in (("deleted_videos", 1), ("video_sessions", 0)):
        rows = backstage.rows(f"SELECT 1 FROM {table} WHERE user_id LIKE %s", "verify-%")
        assert len(rows) == count, table
    assert backstage.objects("verify-") == []


def test_failing_test_fails_the_command(backstage: Backstage) -> None:
    with pytest.raises(OperatorError, match="their keys end after a day"):
        verify(backstage.link, only=["-k", "none_has_this_name", "-n0"])
