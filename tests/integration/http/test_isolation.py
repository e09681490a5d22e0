"""Isolation between users: every identifier of one owner, in every request of another.

Operations, parameters and fields are those of the OpenAPI document. New ones are covered
automatically if their names are listed here; otherwise the first test fails.
"""

from collections.abc import Iterator

import pytest

from common.database import Database
from tests.integration.http import owners
from tests.integration.http.owners import Owner
from tests.integration.http.request import (
    BODIES,
    VIDEO_BODY,
    RequestCase,
    fields,
    path_parameters,
    with_field,
)
from tests.integration.http.service import Service
from tests.support import answers
from tests.support.answers import OPERATIONS, Operation
from tests.support.gateway import Reply

# Parameters and fields that identify a resource or its owner.
IDENTIFYING = {
    "path": {"key_id", "media_id", "video_id", "run_id", "user_id", "request_id", "folder", "name"},
    "query": {"cursor", "id", "key", "key_id", "user_id", "userId", "video", "t"},
    "header": {"idempotency-key", "x-request-id", "x-user-id"},
    "body": {
        "user_id",
        "userId",
        "request_id",
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
# Parameters and fields that do not. A name in neither of the two fails the first test.
NOT_IDENTIFYING = {
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
# Names for which another owner's value is never valid.
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


def parameter_names(operation: Operation, location: str) -> set[str]:
    """Return the names that an operation takes at a location."""
    if location == "body":
        return set(fields(operation.body)) if operation.body else set()
    return {parameter["name"] for parameter in operation.parameters(location)}


def test_parameter_and_field_names_are_classified() -> None:
    unknown = {
        (operation.method, operation.path, location, name)
        for operation in OPERATIONS
        for location in IDENTIFYING
        for name in parameter_names(operation, location)
        - IDENTIFYING[location]
        - NOT_IDENTIFYING[location]
    }
    assert not unknown, "put these names into IDENTIFYING or NOT_IDENTIFYING"
    bodied = {(operation.method, operation.path) for operation in OPERATIONS if operation.body}
    assert bodied == BODIES.keys(), "give each operation with a body the smallest valid one"


def targets(location: str, name: str, owner: Owner) -> list[str]:
    """Return the other owner's values to try for a name."""
    if name in ("user_id", "userId", "x-user-id"):
        return [owner.user_id]
    if name in ("request_id", "folder", "name") and location == "path":
        return [owner.finished]
    if name == "t":
        return [*owner.link_tokens]
    if name == "cursor":
        return [*owner.identifiers, "MQ", f"2026-11-24.{owner.key_id}"]
    if name == "idempotency-key":
        return ["shared"]
    if name in ("image_url", "imageUrl"):
        return [f"https://api.example/live/api/proxy_s3_image/{key}" for key in owner.objects]
    if name in ("key", "s3Key"):
        return [*owner.objects]
    if location == "path":
        return [*owner.identifiers, owner.objects[0]]
    # One of each kind is enough.
    kinds = (
        owner.key_id,
        owner.finished,
        owner.request_id,
        owner.run,
        owner.upload,
        owner.media[0],
    )
    return [*kinds, owner.objects[0]]


def cross_owner_cases(mine: Owner, theirs: Owner) -> Iterator[RequestCase]:
    """Yield every request of `mine` with one value of `theirs`."""
    for operation in OPERATIONS:
        path = path_parameters(operation, mine)
        body = BODIES.get((operation.method, operation.path))
        for location, naming in IDENTIFYING.items():
            # Clients can send the header to any route, documented or not.
            candidates = parameter_names(operation, location) | (
                {"x-user-id"} if location == "header" else set()
            )
            for name in sorted(candidates & naming):
                for value in targets(location, name, theirs):
                    case = RequestCase(operation, location, name, value, dict(path), body=body)
                    if location == "path":
                        case.path[name] = value
                    elif location == "query":
                        case.query[name] = value
                    elif location == "header":
                        case.headers[name] = value
                    else:
                        case.body = with_field(body or {}, name, value)
                    yield case
        if {"user_id", "request_id", "folder", "name"} <= parameter_names(operation, "path"):
            yield from foreign_object_cases(operation, mine, theirs)


def foreign_object_cases(operation: Operation, mine: Owner, theirs: Owner) -> Iterator[RequestCase]:
    """Yield requests for each object of `theirs`, without and with each link token of `mine`."""
    for key in theirs.objects:
        parts = dict(zip(("user_id", "request_id", "folder", "name"), key.split("/"), strict=True))
        for token in (None, "", "x", *mine.link_tokens):
            query = {} if token is None else {"t": token}
            yield RequestCase(operation, "path", "object", key, parts, query)


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return owners.create_owner(service, rows, "alice")


@pytest.fixture
def bob(service: Service, rows: Database) -> Owner:
    return owners.create_owner(service, rows, "bob")


def leaked_identifier(reply: Reply, owner: Owner, echo: str) -> str | None:
    """Return an identifier of the owner in the response, other than an echo of the request."""
    response_text = reply.text + str(reply.headers)
    for identifier in (owner.canary, owner.key, *owner.identifiers):
        if identifier in response_text.replace(echo, ""):
            return identifier
    return None


def test_owner_cannot_read_or_change_resources_of_another(
    service: Service, rows: Database, alice: Owner, bob: Owner
) -> None:
    # The same idempotency key, used by its owner first.
    service.call(
        "POST", "/v1/videos", VIDEO_BODY, key=alice.key, headers={"Idempotency-Key": "shared"}
    )
    before = owners.rows_of(rows, alice)
    request_count = 0
    # Request ids that bob gives to his own videos come last, because they are his afterwards.
    naming = ("request_id", "requestId", "x-request-id")
    for case in sorted(cross_owner_cases(bob, alice), key=lambda case: case.name in naming):
        reply = case.send(service, None if case.operation.public else bob.key)
        request_count += 1
        # A link token grants access to its object to anyone.
        is_link_read = case.name == "t" and reply.status in (200, 302)
        assert is_link_read or leaked_identifier(reply, alice, case.value) is None, (
            f"{case}: {reply.text[:300]}"
        )
        is_write = case.operation.method not in ("GET", "HEAD")
        is_path_identifier = case.location == "path" and case.value in (
            alice.canary,
            *alice.identifiers,
        )
        # An estimate counts images without reading them.
        is_unread = case.operation.path == "/v1/estimates" and case.name.startswith("image_")
        if not is_unread and (is_path_identifier or case.name in MUST_FAIL):
            assert reply.status >= 400 or case.operation.public, f"{case}: {reply.status}"
        assert not is_link_read or not is_write
    assert request_count > 500
    after = owners.rows_of(rows, alice)
    for table, table_rows in before.items():
        assert set(table_rows) <= set(after[table]), f"{table} was changed"
    # New rows that contain an identifier of alice's belong to bob.
    for table, table_rows in after.items():
        for row in set(table_rows) - set(before[table]):
            assert bob.user_id in row or bob.key_id in row, f"{table}: {row}"


def test_request_without_a_key_is_rejected(service: Service, alice: Owner) -> None:
    for operation in OPERATIONS:
        if not operation.public:
            body = BODIES.get((operation.method, operation.path))
            case = RequestCase(operation, "", "", "", path_parameters(operation, alice), body=body)
            reply = case.send(service, None)
            assert reply.status == operation.keyless, str(case)
            assert leaked_identifier(reply, alice, "") is None


def test_owner_can_read_all_of_its_resources(service: Service, alice: Owner) -> None:
    """Positive control: every identifier that was tried works for its owner."""
    for video in (alice.finished, alice.failed, alice.open, alice.request_id):
        response = service.call("GET", f"/v1/videos/{video}", key=alice.key)
        assert (response.status, alice.canary in response.text) == (200, True)
    for media in alice.media:
        response = service.call("GET", f"/v1/media/{media}", key=alice.key)
        assert (response.status, alice.canary in response.text) == (200, True)
    key = service.call("GET", f"/api/admin/api-keys/{alice.key_id}", key=owners.operator())
    assert alice.canary in key.text
    assert len(alice.objects) == len(alice.link_tokens) >= 4
    kinds = {"png": "image", "mp4": "video"}
    for item, token in zip(alice.objects, alice.link_tokens, strict=True):
        kind = kinds[item.rpartition(".")[2]]
        assert service.call("GET", f"/api/proxy_s3_{kind}/{item}?t={token}").status == 302


def test_foreign_and_missing_resources_are_indistinguishable(
    service: Service, alice: Owner, bob: Owner
) -> None:
    for operation in OPERATIONS:
        for parameter, foreign, missing in (
            ("video_id", alice.finished, f"vid_{'0' * 26}"),
            ("media_id", alice.upload, f"med_{'0' * 26}"),
            ("run_id", alice.run, f"run_{'0' * 26}"),
        ):
            if parameter in parameter_names(operation, "path"):
                body = BODIES.get((operation.method, operation.path))
                foreign_case, missing_case = (
                    RequestCase(operation, "path", parameter, value, {parameter: value}, body=body)
                    for value in (foreign, missing)
                )
                foreign_response, missing_response = (
                    foreign_case.send(service, bob.key),
                    missing_case.send(service, bob.key),
                )
                assert foreign_response.status == missing_response.status == 404, str(foreign_case)
                bodies = [
                    answers.without_request_id(reply.text)
                    for reply in (foreign_response, missing_response)
                ]
                assert bodies[0].replace(foreign, "") == bodies[1].replace(missing, ""), str(
                    foreign_case
                )


def test_path_with_a_trailing_newline_is_not_found(service: Service, alice: Owner) -> None:
    for path in ("/v1/videos/%0A", "/v1/media/%0A", f"/v1/videos/{alice.finished}%0A"):
        assert service.call("GET", path, key=alice.key).status == 404
