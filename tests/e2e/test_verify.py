"""`make verify` against the local cloud: which tests it runs, and its cleanup."""

import pytest

from infra.operator.errors import OperatorError
from infra.operator.verify import verify
from tests.e2e.client import StackAccess

ONE_VIDEO = "test_video_of_other_user_is_not_found"


def test_verify_removes_videos_and_revokes_keys(stack: StackAccess) -> None:
    verify(stack.link, only=["-k", ONE_VIDEO, "-n0"])
    keys = stack.rows("SELECT revoked_at FROM api_keys WHERE name = 'make verify'")
    assert len(keys) == 2
    assert all(key["revoked_at"] for key in keys)
    # One video was created and deleted.
    for table, count in (("deleted_videos", 1), ("video_sessions", 0)):
        rows = stack.rows(f"SELECT 1 FROM {table} WHERE user_id LIKE %s", "verify-%")
        assert len(rows) == count, table
    assert stack.objects("verify-") == []


def test_verify_fails_if_test_fails(stack: StackAccess) -> None:
    with pytest.raises(OperatorError, match="their keys expire after a day"):
        verify(stack.link, only=["-k", "none_has_this_name", "-n0"])
