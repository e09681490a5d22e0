"""Video lists with filters and pagination, and the event timeline of a video."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from common.aws import secrets
from common.database import Database, runs, scenes
from common.settings import DatabaseSettings
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import KEYS
from tests.support.gateway import Gateway
from tests.support.rows import STORY, admit, insert_story

FAILURE = {
    "code": "x",
    "stage": "story",
    "scene": None,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


@pytest.fixture
def videos_by_name(database: Database) -> dict[str, str]:
    """Insert videos of alice, oldest first, and one of bob; return alice's ids by name."""
    ids = {}
    changes_by_name: dict[str, dict[str, Any]] = {
        "boat": {"original_prompt": "A paper boat, in the rain", "style": "Anime"},
        "heron": {"original_prompt": "Herons don't sleep", "metadata": {"order": "1", "a": "b"}},
        "storied": {"original_prompt": "Surprise me", "metadata": {"order": "2"}},
        "failed": {"original_prompt": "Ein Drache fliegt über Köln"},
    }
    for name, changes in changes_by_name.items():
        ids[name] = admit(database, **changes)[0]
    admit(database, user_id="bob", original_prompt="A paper boat of bob")
    with database.transaction() as cursor:
        scenes.insert_story(cursor, ids["storied"], STORY, "Cinematic", "Calm")
        cursor.execute("SELECT run_id FROM runs WHERE session_id = %s", (ids["failed"],))
        (row,) = cursor.fetchall()
        runs.fail(cursor, row["run_id"], FAILURE)
        for days, name in enumerate(ids):
            cursor.execute(
                "UPDATE video_sessions SET created_at = '2026-01-01Z'::timestamptz + %s * "
                "interval '1 day' WHERE session_id = %s",
                (days, ids[name]),
            )
    return ids


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "failed storied heron boat"),
        ("status=failed", "failed"),
        ("status=failed&status=queued", "failed storied heron boat"),
        ("status=canceled", ""),
        ("style=anime", "boat"),
        ("created_after=2026-01-02T00:00:00Z", "failed storied heron"),
        ("created_after=2026-01-02T00:00:00%2B02:00&created_before=2026-01-03", "heron"),
        # An offset that RFC 3339 allows and PostgreSQL does not.
        ("created_after=2026-01-02T00:00:00%2B16:01&created_before=2026-01-03", "heron"),
        ("q=boat", "storied boat"),  # one matches in its prompt, one in its title
        ("q=PAP+rai", "boat"),
        ("q=paper,boat!", "boat"),
        ("q=heron", "heron"),
        ("q=Köl", "failed"),
        ("q=don%27t", "heron"),
        ("q=%26%7C!:*%27%5C", ""),
        ("q=oat", ""),
        ("q=Ko%CC%88l", "failed"),  # decomposed Unicode (NFD)
        ("q=failed+nothing", ""),
        ("metadata=order:1", "heron"),
        ("metadata=order:1&metadata=a:b", "heron"),
        ("metadata=order:1&metadata=a:c", ""),
        ("metadata=order:", ""),
        ("q=boat&style=Anime&status=queued&created_before=2027-01-01", "boat"),
    ],
)
def test_video_list_filters(
    query: str, names: str, gateway: Gateway, videos_by_name: dict[str, str]
) -> None:
    response = gateway.call("GET", f"/v1/videos?{quote(query, safe='=&%+:!,')}")
    assert response.status == 200, response.text
    names_by_id = {video_id: name for name, video_id in videos_by_name.items()}
    assert [names_by_id[video["id"]] for video in response.json()["data"]] == names.split()


@pytest.mark.parametrize(
    "query",
    [
        "status=happy",
        "style=Baroque",
        "created_after=soon",
        "metadata=order",
        "q=" + "x" * 201,
        "cursor=!!",
        "limit=0",
        "q=%00",
        "metadata=%00:1",
        "created_after=0001-01-01T00:00:00%2B02:00",
        "created_before=9999-12-31T23:59:00-02:00",
    ],
)
def test_invalid_filter_is_named(query: str, gateway: Gateway) -> None:
    response = gateway.call("GET", f"/v1/videos?{query}")
    assert (response.status, response.json()["code"]) == (422, "request.invalid")
    assert query.split("=")[0] in response.json()["errors"][0]["pointer"]


def test_pagination_is_stable_while_videos_are_added(gateway: Gateway, database: Database) -> None:
    expected = [admit(database, style="Anime")[0] for _ in range(5)][::-1]
    listed, cursor_query = [], ""
    for _ in range(3):
        page = gateway.call("GET", f"/v1/videos?style=Anime&limit=2{cursor_query}").json()
        listed += [video["id"] for video in page["data"]]
        admit(database, style="Anime")
        admit(database)
        cursor_query = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert listed == expected


def test_text_search_uses_its_index(
    gateway: Gateway, database: Database, videos_by_name: dict[str, str]
) -> None:
    from common.database.search import Search

    search = Search(text="boat")
    (condition,) = search.conditions()
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT * FROM video_sessions s WHERE {condition}", search.values())
        plan = " ".join(row["QUERY PLAN"] for row in cursor.fetchall())
    assert "video_sessions_by_text" in plan


def test_event_pagination_covers_all_runs(gateway: Gateway, database: Database) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        for scene in (1, 2):
            runs.add_event(cursor, run_id, "image.succeeded", scene)
        runs.cancel(cursor, video_id, jobs=False)
    assert gateway.call("POST", f"/v1/videos/{video_id}/resume").status == 202
    events, cursor_query = [], ""
    while True:
        page = gateway.call("GET", f"/v1/videos/{video_id}/events?limit=2{cursor_query}").json()
        events += page["data"]
        if page["next_cursor"] is None:
            break
        cursor_query = f"&cursor={page['next_cursor']}"
    assert [event["type"] for event in events] == [
        "run.queued",
        "image.succeeded",
        "image.succeeded",
        "run.canceled",
        "run.queued",
    ]
    assert [event["scene"] for event in events] == [None, 1, 2, None, None]
    assert len({event["run_id"] for event in events}) == 2
    assert len({event["id"] for event in events}) == 5
    assert gateway.call("GET", f"/v1/videos/{video_id}/events", user_id="bob").status == 404


def test_video_has_media_links_and_the_list_has_none(gateway: Gateway, database: Database) -> None:
    video_id, _ = admit(database, reference_key="alice/v/user-uploads/x.png")
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, STORY, "Cinematic", "Calm")
        scenes.finish_image(cursor, video_id, 1, 1, key="alice/v/reference-frames/1.png", usd=0)  # type: ignore[arg-type]
    video = gateway.call("GET", f"/v1/videos/{video_id}").json()
    assert "x.png?" in video["reference_url"]
    first, second = (scene["image"] for scene in video["scenes"][:2])
    assert "reference-frames/1.png?" in first["url"]
    assert (first["version"], second["url"]) == (1, None)
    assert video["links"]["events"] == f"/v1/videos/{video_id}/events"
    assert video["links"]["console"] is video["links"]["trace"] is None  # not on AWS
    assert video["trace_id"] is None
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["reference_url"] is None


def test_video_is_read_in_one_snapshot(
    gateway: Gateway,
    database: Database,
    migrated: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The story is inserted between the queries for frames and clips."""
    video_id, _ = admit(database)
    read_frames, writer = scenes.images, Database(migrated)

    def read_frames_then_insert(cursor: Any, session_id: str) -> Any:
        frames = read_frames(cursor, session_id)
        insert_story(writer, session_id)
        return frames

    monkeypatch.setattr(scenes, "images", read_frames_then_insert)
    response = gateway.call("GET", f"/v1/videos/{video_id}")
    assert (response.status, response.json()["scenes"]) == (200, None)
    monkeypatch.setattr(scenes, "images", read_frames)
    assert len(gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"]) == len(STORY.scenes)
    writer.close()


def test_pagination_cursor_is_opaque_and_bound_to_its_list(
    gateway: Gateway, database: Database
) -> None:
    for _ in range(3):
        admit(database)
        admit(database, user_id="bob")
    mine, theirs = (
        gateway.call("GET", "/v1/videos?limit=1", user_id=name).json() for name in ("alice", "bob")
    )
    video_id, run_id = admit(database)
    with database.transaction() as sql:
        runs.add_event(sql, run_id, "image.succeeded", 1)
        sql.execute(
            "SELECT max(id) AS video, (SELECT max(id) FROM run_events) AS event FROM video_sessions"
        )
        numbers = set((sql.fetchone() or {}).values())
    events = gateway.call("GET", f"/v1/videos/{video_id}/events?limit=1").json()
    cursors = [mine["next_cursor"], theirs["next_cursor"], events["next_cursor"]]
    assert len(set(cursors)) == 3
    for cursor in [*cursors, events["data"][0]["id"]]:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert len(raw) == 16  # encrypted, so independent of the row's number
        assert not {int.from_bytes(raw[offset : offset + 8]) for offset in range(9)} & numbers
    newer = gateway.call("GET", "/v1/videos?limit=1").json()["next_cursor"]
    assert newer != mine["next_cursor"]  # the cursor of another row
    assert gateway.call("GET", f"/v1/videos?cursor={cursors[0]}").status == 200
    altered = cursors[0][:-1] + ("A" if cursors[0][-1] != "A" else "Q")
    for invalid in (cursors[1], cursors[2], altered, "MTQ", "x" * 64, "\u00e9"):
        reply = gateway.call("GET", f"/v1/videos?cursor={quote(invalid)}")
        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "/cursor"), invalid
        reply = gateway.call("GET", f"/v1/videos/{video_id}/events?cursor={quote(cursors[0])}")
        assert reply.status == 422


def test_pagination_cursor_survives_secret_rotation(
    gateway: Gateway, database: Database, secret_store: SecretsManager
) -> None:
    for _ in range(3):
        admit(database)
    first = gateway.call("GET", "/v1/videos?limit=1").json()["next_cursor"]
    rotated = {"SECRET_KEY": "n" * 64, "PREVIOUS_SECRET_KEY": "s" * 64}
    for secret, status in ((rotated, 200), ({"SECRET_KEY": "n" * 64}, 422)):
        secret_store.secrets[KEYS] = secret
        secrets._cache.clear()
        assert gateway.call("GET", f"/v1/videos?cursor={first}").status == status


def test_pagination_keeps_responses_below_the_payload_limit(
    gateway: Gateway, database: Database
) -> None:
    large = {f"{n:02d}" + "\x01" * 62: "\x01" * 500 for n in range(16)}
    expected = [
        admit(database, original_prompt="\x01" * 4000, metadata=large)[0] for _ in range(60)
    ]
    listed, cursor_query = [], ""
    while True:
        reply = gateway.call("GET", f"/v1/videos?limit=100{cursor_query}")
        assert len(json.dumps(reply.text).encode()) < 6_000_000
        page = reply.json()
        listed += [video["id"] for video in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor_query = f"&cursor={page['next_cursor']}"
    assert listed == expected[::-1]
    assert cursor_query  # there was more than one page
