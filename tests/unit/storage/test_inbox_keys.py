"""Names in the inbox, and where they are answered: whatever a client calls a file."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidInput
from common.storage import MediaFolder
from common.storage.inbox_keys import InboxObject, result_key

OURS = re.compile(r"outbox/alice/[A-Za-z0-9._~%/-]{1,1000}\.(result|error)\.json")


def dropped(key: str) -> InboxObject:
    return InboxObject("media", key, "v1")


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("inbox/alice/kite.json", "outbox/alice/kite.json.result.json"),
        ("inbox/alice/may/kite.v2.png", "outbox/alice/may/kite.v2.png.result.json"),
        ("inbox/alice/my kite.json", "outbox/alice/my%20kite.json.result.json"),
        ("inbox/alice/../bob/x.json", "outbox/alice/%2E%2E/bob/x.json.result.json"),
        ("inbox/alice//x.json", "outbox/alice//x.json.result.json"),
    ],
)
def test_it_is_answered_under_the_same_name(key: str, answer: str) -> None:
    assert dropped(key).is_ours
    assert result_key("alice", key, "result") == answer


@pytest.mark.parametrize(
    "key",
    [
        "inbox/",
        "inbox/x.json",
        "inbox/alice/",
        "inbox/alice/may/",
        "inbox//x.json",
        "inbox/../x.json",
        "inbox/al ice/x.json",
        "inbox/inbox/x.json",
        "inbox/outbox/x.json",
        "outbox/alice/x.json",
        "alice/vid_1/x.json",
        "inboxes/alice/x.json",
    ],
)
def test_what_is_nobodys_file_is_left_alone(key: str) -> None:
    assert not dropped(key).is_ours


@given(st.text(min_size=1, max_size=400))
def test_no_name_leads_out_of_the_owners_outbox(name: str) -> None:
    key = f"inbox/alice/{name}"
    answer = result_key("alice", key, "error")
    assert len(answer.encode()) <= 1024
    if "/" not in name:
        assert OURS.fullmatch(answer)
    assert not {".", ".."} & set(answer.split("/"))
    assert answer.startswith("outbox/alice/")


def test_a_name_that_is_too_long_becomes_its_digest() -> None:
    answer = result_key("alice", "inbox/alice/" + "ü" * 500, "error")
    assert OURS.fullmatch(answer)
    assert len(answer) < 200


def test_the_identity_is_of_bucket_key_and_version() -> None:
    one = InboxObject("media", "inbox/alice/x.json", "v1")
    assert one.object_id == InboxObject("media", "inbox/alice/x.json", "v1").object_id
    others = [
        InboxObject("media", "inbox/alice/x.json", "v2"),
        InboxObject("other", one.key, "v1"),
        InboxObject("media", "inbox/alice/x.jso", "nv1"),
    ]
    assert len({one.object_id, *(other.object_id for other in others)}) == 4


def test_what_lies_beside_has_the_same_name_but_for_its_end() -> None:
    job = dropped("inbox/alice/a.b/kite.json")
    keys = [f"{job.stem}{end}" for end in (".json", ".Png", ".b.png", "s.png", "/x.png", ".", "")]
    assert job.ends_beside(keys) == {"inbox/alice/a.b/kite.Png": ".png"}
    assert dropped("inbox/alice/kite.JPEG").extension == ".jpeg"


@pytest.mark.parametrize(
    ("picture", "job"),
    [
        ("cat.PNG", "cat.Json"),
        ("cafe\u0301.jpg", "café.json"),  # the first is written by macOS
        ("café.jpg", "cafe\u0301.json"),
        ("cat.jpg", "cat.jpg.json"),
        ("cafe\u0301.JPG", "café.JPG.json"),
        ("a.b.webp", "a.b.json"),
    ],
)
def test_files_that_belong_together_find_each_other(picture: str, job: str) -> None:
    one, other = dropped(f"inbox/alice/{picture}"), dropped(f"inbox/alice/{job}")
    for here, there in ((one, other), (other, one)):
        listed = [there.key] * any(there.key.startswith(begin) for begin in here.prefixes_beside)
        assert here.ends_beside(listed) == {there.key: there.extension}


def test_files_of_other_names_stay_apart() -> None:
    for picture, job in (
        ("cat.jpg", "cat.jpg.b.json"),
        ("cat.jpg", "cats.json"),
        ("cat", "c.json"),
        ("b/cat.jpg", "cat.json"),
        ("cat.b.jpg", "cat.json"),
    ):
        one, other = dropped(f"inbox/alice/{picture}"), dropped(f"inbox/alice/{job}")
        assert one.ends_beside([other.key]) == other.ends_beside([one.key]) == {}


@pytest.mark.parametrize("name", ["inbox", "outbox"])
def test_nobody_can_be_called_like_the_boxes(name: str) -> None:
    """Their media would lie in the inbox, where functions must not write and files start runs."""
    with pytest.raises(InvalidInput, match="neither inbox nor outbox"):
        MediaFolder(name, "vid_1")
