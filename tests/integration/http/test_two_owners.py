"""One owner's identifiers at every place of every request of another: nothing is read or changed.

Operations and places are those of the OpenAPI document. A new one is covered by itself if its
names are known here, and fails the first test if they are not.
"""

from collections.abc import Iterator

import pytest

from common.database import Database
from tests.integration.http import owners
from tests.integration.http.owners import Owner
from tests.integration.http.request import BODIES, WISH, Attempt, fields, named_in, own_path
from tests.integration.http.service import Service
from tests.support import answers
from tests.support.answers import OPERATIONS, Operation
from tests.support.gateway import Reply

# Parameters and fields that name a thing or its owner.
NAMING = {
    "path": {"key_id", "media_id", "video_id", "run_id", "user_id", "request_id", "folder", "name"},
    "query": {"cursor", "id", "key", "key_id", "user_id", "userId", "video", "t"},
    "header": {"idempotency-key", "x-request-id", "x-user-id"},
    "body": {
        "userId",
        "requestId",
        "media",
        "id",
        "image",
        "image_id",
        "image_url",
        "imageUrl",
        "images",
        "s3Key",
        "startImage",
    },
}
# Those that do not. Every other name is unknown, until it is put into one of the two.
PLAIN = {
    "query": {
        "limit",
        "kind",
        "q",
        "created_after",
        "created_before",
        "status",
        "style",
        "metadata",
        "provider",
        "from",
        "to",
        "expiresIn",
        "download",
    },
    "header": {"prefer"},
    "path": set(),
    "body": {
        "allowedEndpoints",
        "background",
        "burn",
        "captions",
        "contentType",
        "dailyCapUsd",
        "duck",
        "etags",
        "fileName",
        "fileSize",
        "clipIndex",
        "duration",
        "expiresIn",
        "fade_in",
        "frameAspectRatio",
        "frameCount",
        "frameIndex",
        "isFirstFrame",
        "numImages",
        "totalClips",
        "totalFrames",
        "fade_out",
        "fit",
        "format",
        "fps",
        "graceSeconds",
        "in_parts",
        "isActive",
        "language",
        "loop",
        "loudness",
        "maxConcurrentRuns",
        "max_cost",
        "media_type",
        "metadata",
        "model",
        "models",
        "monthlyCapUsd",
        "mood",
        "music",
        "name",
        "narration",
        "on_broken",
        "on_unknown",
        "output",
        "preview",
        "prompt",
        "provider",
        "rateLimit",
        "ratio",
        "renditions",
        "requestsPerHour",
        "requestsPerMinute",
        "scenes",
        "scopes",
        "seconds",
        "seed",
        "size",
        "size_bytes",
        "speech",
        "style",
        "test",
        "text",
        "transition",
        "transition_seconds",
        "video",
        "voice",
        "volume",
    },
}
# Where nothing of another's can be a good value.
MUST_FAIL = {
    "object",
    "x-user-id",
    "userId",
    "user_id",
    "media",
    "id",
    "image_id",
    "image_url",
    "imageUrl",
    "key",
    "s3Key",
}


def names(operation: Operation, place: str) -> set[str]:
    """The names that an operation takes at a place."""
    if place == "body":
        return set(fields(operation.body)) if operation.body else set()
    return {one["name"] for one in operation.parameters(place)}


def test_every_name_is_known_to_name_something_or_not() -> None:
    unknown = {
        (operation.method, operation.path, place, name)
        for operation in OPERATIONS
        for place in NAMING
        for name in names(operation, place) - NAMING[place] - PLAIN[place]
    }
    assert not unknown, "put these names into NAMING or PLAIN"
    bodied = {(one.method, one.path) for one in OPERATIONS if one.body}
    assert bodied == BODIES.keys(), "give each operation with a body the smallest good one"


def targets(place: str, name: str, owner: Owner) -> list[str]:
    """What of the other owner may be named there."""
    if name in ("user_id", "userId", "x-user-id"):
        return [owner.user_id]
    if name in ("request_id", "folder", "name") and place == "path":
        return [owner.finished]
    if name == "t":
        return [*owner.capabilities]
    if name == "cursor":
        return [*owner.identifiers, "MQ", f"2026-11-24.{owner.key_id}"]
    if name == "idempotency-key":
        return ["shared"]
    if name in ("image_url", "imageUrl"):
        return [f"https://api.example/live/api/proxy_s3_image/{key}" for key in owner.objects]
    if name in ("key", "s3Key"):
        return [*owner.objects]
    if place == "path":
        return [*owner.identifiers, owner.objects[0]]
    # One of each kind: videos, media and so on are told apart by what they are, not by which.
    kinds = (owner.key_id, owner.finished, owner.named, owner.run, owner.upload, owner.media[0])
    return [*kinds, owner.objects[0]]


def attempts(mine: Owner, theirs: Owner) -> Iterator[Attempt]:
    """Yield every request that names something of theirs, with all else mine."""
    for operation in OPERATIONS:
        base = own_path(operation, mine)
        body = BODIES.get((operation.method, operation.path))
        for place, naming in NAMING.items():
            # Any route may be sent the header, documented or not.
            known = names(operation, place) | ({"x-user-id"} if place == "header" else set())
            for name in sorted(known & naming):
                for value in targets(place, name, theirs):
                    attempt = Attempt(operation, place, name, value, dict(base), body=body)
                    if place == "path":
                        attempt.path[name] = value
                    elif place == "query":
                        attempt.query[name] = value
                    elif place == "header":
                        attempt.headers[name] = value
                    else:
                        attempt.body = named_in(body or {}, name, value)
                    yield attempt
        if {"user_id", "request_id", "folder", "name"} <= names(operation, "path"):
            yield from foreign_objects(operation, mine, theirs)


def foreign_objects(operation: Operation, mine: Owner, theirs: Owner) -> Iterator[Attempt]:
    """Yield every object of theirs, with nothing and with every capability of mine."""
    for key in theirs.objects:
        parts = dict(zip(("user_id", "request_id", "folder", "name"), key.split("/"), strict=True))
        for capability in (None, "", "x", *mine.capabilities):
            query = {} if capability is None else {"t": capability}
            yield Attempt(operation, "path", "object", key, parts, query)


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return owners.settle(service, rows, "alice")


@pytest.fixture
def bob(service: Service, rows: Database) -> Owner:
    return owners.settle(service, rows, "bob")


def tells(reply: Reply, owner: Owner, said: str) -> str | None:
    """Return what of the owner is in the answer, but for what the request said itself."""
    shown = reply.text + str(reply.headers)
    for mark in (owner.canary, owner.key, *owner.identifiers):
        if mark in shown.replace(said, ""):
            return mark
    return None


def test_nobody_reads_or_changes_what_is_anothers(
    service: Service, rows: Database, alice: Owner, bob: Owner
) -> None:
    # The same key of idempotency, used by its owner first.
    service.call("POST", "/v1/videos", WISH, key=alice.key, headers={"Idempotency-Key": "shared"})
    before = owners.everything_of(rows, alice)
    made = 0
    # Names that bob gives to videos of his own come last: afterwards they are his.
    naming = ("requestId", "x-request-id")
    for attempt in sorted(attempts(bob, alice), key=lambda attempt: attempt.name in naming):
        reply = attempt.send(service, None if attempt.operation.public else bob.key)
        made += 1
        # Whoever holds a capability may read the one object that it is for.
        opened = attempt.name == "t" and reply.status in (200, 302)
        assert opened or tells(reply, alice, attempt.value) is None, (
            f"{attempt}: {reply.text[:300]}"
        )
        changed = attempt.operation.method not in ("GET", "HEAD")
        named = attempt.place == "path" and attempt.value in (alice.canary, *alice.identifiers)
        # An estimate counts a picture and looks at none.
        unseen = attempt.operation.path == "/v1/estimates" and attempt.name.startswith("image_")
        if not unseen and (named or attempt.name in MUST_FAIL):
            assert reply.status >= 400 or attempt.operation.public, f"{attempt}: {reply.status}"
        assert not opened or not changed
    assert made > 500
    after = owners.everything_of(rows, alice)
    for table, kept in before.items():
        assert set(kept) <= set(after[table]), f"{table} was changed"
    # Whatever is new and names something of alice's is bob's own.
    for table, kept in after.items():
        for row in set(kept) - set(before[table]):
            assert bob.user_id in row or bob.key_id in row, f"{table}: {row}"


def test_without_a_key_nothing_is_answered(service: Service, alice: Owner) -> None:
    for operation in OPERATIONS:
        if not operation.public:
            body = BODIES.get((operation.method, operation.path))
            attempt = Attempt(operation, "", "", "", own_path(operation, alice), body=body)
            reply = attempt.send(service, None)
            assert reply.status == operation.keyless, str(attempt)
            assert tells(reply, alice, "") is None


def test_the_owner_reads_all_of_it(service: Service, alice: Owner) -> None:
    """The control: every identifier that was tried is one that works for its owner."""
    for video in (alice.finished, alice.failed, alice.open, alice.named):
        shown = service.call("GET", f"/v1/videos/{video}", key=alice.key)
        assert (shown.status, alice.canary in shown.text) == (200, True)
    for media in alice.media:
        shown = service.call("GET", f"/v1/media/{media}", key=alice.key)
        assert (shown.status, alice.canary in shown.text) == (200, True)
    key = service.call("GET", f"/api/admin/api-keys/{alice.key_id}", key=owners.operator())
    assert alice.canary in key.text
    assert len(alice.objects) == len(alice.capabilities) >= 4
    kinds = {"png": "image", "mp4": "video"}
    for item, capability in zip(alice.objects, alice.capabilities, strict=True):
        kind = kinds[item.rpartition(".")[2]]
        assert service.call("GET", f"/api/proxy_s3_{kind}/{item}?t={capability}").status == 302


def test_the_one_that_is_missing_and_the_one_that_is_anothers_look_the_same(
    service: Service, alice: Owner, bob: Owner
) -> None:
    for operation in OPERATIONS:
        for parameter, there, missing in (
            ("video_id", alice.finished, f"vid_{'0' * 26}"),
            ("media_id", alice.upload, f"med_{'0' * 26}"),
            ("run_id", alice.run, f"run_{'0' * 26}"),
        ):
            if parameter in names(operation, "path"):
                body = BODIES.get((operation.method, operation.path))
                one, other = (
                    Attempt(operation, "path", parameter, value, {parameter: value}, body=body)
                    for value in (there, missing)
                )
                first, second = one.send(service, bob.key), other.send(service, bob.key)
                assert first.status == second.status == 404, str(one)
                told = [answers.without_request_id(reply.text) for reply in (first, second)]
                assert told[0].replace(there, "") == told[1].replace(missing, ""), str(one)


def test_a_path_with_more_at_its_end_is_another_path(service: Service, alice: Owner) -> None:
    for path in ("/v1/videos/%0A", "/v1/media/%0A", f"/v1/videos/{alice.finished}%0A"):
        assert service.call("GET", path, key=alice.key).status == 404
