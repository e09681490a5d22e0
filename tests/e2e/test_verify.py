"""`make verify` against the local cloud: what it runs, and that it leaves nothing behind."""

import pytest

from infra.operator.errors import OperatorError
from infra.operator.verify import verify
from tests.e2e.client import Backstage

ONE_VIDEO = "test_anothers_video_is_404_like_none_at_all"


def test_what_was_made_is_removed_and_its_keys_are_revoked(backstage: Backstage) -> None:
    verify(backstage.link, only=["-k", ONE_VIDEO, "-p", "no:cacheprovider"])
    keys = backstage.rows("SELECT revoked_at FROM api_keys WHERE name = 'make verify'")
    assert len(keys) == 2
    assert all(key["revoked_at"] for key in keys)
    # A video was deleted, and no other is there.
    assert backstage.rows("SELECT 1 FROM deleted_videos WHERE user_id LIKE 'verify-%'")
    assert backstage.rows("SELECT 1 FROM video_sessions WHERE user_id LIKE 'verify-%'") == []
    assert backstage.objects("verify-") == []


def test_failing_test_fails_the_command(backstage: Backstage) -> None:
    with pytest.raises(OperatorError, match="their keys end after a day"):
        verify(backstage.link, only=["-k", "no test has this name"])
