"""S3 keys of inbox files and of their results, for any file name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidInput
from common.storage import MediaFolder
from common.storage.inbox_keys import InboxObject, result_key

RESULT_KEY = re.compile(r"outbox/alice/[A-Za-z0-9._~%/-]{1,1000}\.(result|error)\.json")


def inbox_object(key: str) -> InboxObject:
    return InboxObject("media", key, "v1")


@pytest.mark.parametrize(
    ("key", "result"),
    [
        ("inbox/alice/kite.json", "outbox/alice/kite.json.result.json"),
        ("inbox/alice/may/kite.v2.png", "outbox/alice/may/kite.v2.png.result.json"),
        ("inbox/alice/my kite.json", "outbox/alice/my%20kite.json.result.json"),
        ("inbox/alice/../bob/x.json", "outbox/alice/%2E%2E/bob/x.json.result.json"),
        ("inbox/alice//x.json", "outbox/alice//x.json.result.json"),
    ],
)
def test_result_key_keeps_the_name_of_the_file(key: str, result: str) -> None:
    assert inbox_object(key).is_user_file
    assert result_key("alice", key, "result") == result


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
def test_key_outside_of_a_users_inbox_is_ignored(key: str) -> None:
    assert not inbox_object(key).is_user_file


@given(st.text(min_size=1, max_size=400))
def test_result_key_stays_in_the_owners_outbox(name: str) -> None:
    key = f"inbox/alice/{name}"
    result = result_key("alice", key, "error")
    assert len(result.encode()) <= 1024
    if "/" not in name:
        assert RESULT_KEY.fullmatch(result)
    assert not {".", ".."} & set(result.split("/"))
    assert result.startswith("outbox/alice/")


def test_result_key_of_a_long_name_uses_a_digest() -> None:
    result = result_key("alice", "inbox/alice/" + "ü" * 500, "error")
    assert RESULT_KEY.fullmatch(result)
    assert len(result) < 200


def test_object_id_depends_on_bucket_key_and_version() -> None:
    original = InboxObject("media", "inbox/alice/x.json", "v1")
    assert original.object_id == InboxObject("media", "inbox/alice/x.json", "v1").object_id
    differing = [
        InboxObject("media", "inbox/alice/x.json", "v2"),
        InboxObject("other", original.key, "v1"),
        InboxObject("media", "inbox/alice/x.jso", "nv1"),
    ]
    assert len({original.object_id, *(different.object_id for different in differing)}) == 4


def test_paired_file_has_the_same_stem_and_an_image_extension() -> None:
    job = inbox_object("inbox/alice/a.b/kite.json")
    keys = [
        f"{job.stem}{suffix}" for suffix in (".json", ".Png", ".b.png", "s.png", "/x.png", ".", "")
    ]
    assert job.companions(keys) == {"inbox/alice/a.b/kite.Png": ".png"}
    assert inbox_object("inbox/alice/kite.JPEG").extension == ".jpeg"


@pytest.mark.parametrize(
    ("image", "job"),
    [
        ("cat.PNG", "cat.Json"),
        ("cafe\u0301.jpg", "café.json"),  # macOS writes decomposed names (NFD)
        ("café.jpg", "cafe\u0301.json"),
        ("cat.jpg", "cat.jpg.json"),
        ("cafe\u0301.JPG", "café.JPG.json"),
        ("a.b.webp", "a.b.json"),
    ],
)
def test_image_and_job_pair_by_name(image: str, job: str) -> None:
    image_file, job_file = inbox_object(f"inbox/alice/{image}"), inbox_object(f"inbox/alice/{job}")
    for file, partner in ((image_file, job_file), (job_file, image_file)):
        listed = [partner.key] * any(
            partner.key.startswith(prefix) for prefix in file.companion_prefixes
        )
        assert file.companions(listed) == {partner.key: partner.extension}


def test_files_with_different_names_do_not_pair() -> None:
    for image, job in (
        ("cat.jpg", "cat.jpg.b.json"),
        ("cat.jpg", "cats.json"),
        ("cat", "c.json"),
        ("b/cat.jpg", "cat.json"),
        ("cat.b.jpg", "cat.json"),
    ):
        image_file, job_file = (
            inbox_object(f"inbox/alice/{image}"),
            inbox_object(f"inbox/alice/{job}"),
        )
        assert image_file.companions([job_file.key]) == job_file.companions([image_file.key]) == {}


@pytest.mark.parametrize("name", ["inbox", "outbox"])
def test_user_id_inbox_or_outbox_is_rejected(name: str) -> None:
    """The media of such a user would lie in the inbox, where files start runs."""
    with pytest.raises(InvalidInput, match="neither inbox nor outbox"):
        MediaFolder(name, "vid_1")
