"""Lists of videos, and the timeline of one."""

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
from tests.support.rows import STORY, admit, tell

FAILURE = {
    "code": "x",
    "stage": "story",
    "scene": None,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


@pytest.fixture
def made(database: Database) -> dict[str, str]:
    """Videos of alice by a word for each, oldest first, and one of bob."""
    ids = {}
    wishes: dict[str, dict[str, Any]] = {
        "boat": {"original_prompt": "A paper boat, in the rain", "style": "Anime"},
        "heron": {"original_prompt": "Herons don't sleep", "metadata": {"order": "1", "a": "b"}},
        "told": {"original_prompt": "Surprise me", "metadata": {"order": "2"}},
        "failed": {"original_prompt": "Ein Drache fliegt über Köln"},
    }
    for word, changes in wishes.items():
        ids[word] = admit(database, **changes)[0]
    admit(database, user_id="bob", original_prompt="A paper boat of bob")
    with database.transaction() as cursor:
        scenes.insert_story(cursor, ids["told"], STORY, "Cinematic", "Calm")
        cursor.execute("SELECT run_id FROM runs WHERE session_id = %s", (ids["failed"],))
        (row,) = cursor.fetchall()
        runs.fail(cursor, row["run_id"], FAILURE)
        for days, word in enumerate(ids):
            cursor.execute(
                "UPDATE video_sessions SET created_at = '2026-01-01Z'::timestamptz + %s * "
                "interval '1 day' WHERE session_id = %s",
                (days, ids[word]),
            )
    return ids


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "failed told heron boat"),
        ("status=failed", "failed"),
        ("status=failed&status=queued", "failed told heron boat"),
        ("status=canceled", ""),
        ("style=anime", "boat"),
        ("created_after=2026-01-02T00:00:00Z", "failed told heron"),
        ("created_after=2026-01-02T00:00:00%2B02:00&created_before=2026-01-03", "heron"),
        # An offset that RFC 3339 allows and PostgreSQL does not.
        ("created_after=2026-01-02T00:00:00%2B16:01&created_before=2026-01-03", "heron"),
        ("q=boat", "told boat"),  # one in its prompt, one in its title
        ("q=PAP+rai", "boat"),
        ("q=paper,boat!", "boat"),
        ("q=heron", "heron"),
        ("q=Köl", "failed"),
        ("q=don%27t", "heron"),
        ("q=%26%7C!:*%27%5C", ""),
        ("q=oat", ""),
        ("q=Ko%CC%88l", "failed"),  # the other Unicode form
        ("q=failed+nothing", ""),
        ("metadata=order:1", "heron"),
        ("metadata=order:1&metadata=a:b", "heron"),
        ("metadata=order:1&metadata=a:c", ""),
        ("metadata=order:", ""),
        ("q=boat&style=Anime&status=queued&created_before=2027-01-01", "boat"),
    ],
)
def test_every_condition_holds(
    query: str, words: str, gateway: Gateway, made: dict[str, str]
) -> None:
    answer = gateway.call("GET", f"/v1/videos?{quote(query, safe='=&%+:!,')}")
    assert answer.status == 200, answer.text
    names = {video_id: word for word, video_id in made.items()}
    assert [names[video["id"]] for video in answer.json()["data"]] == words.split()


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
def test_a_wrong_condition_is_named(query: str, gateway: Gateway) -> None:
    answer = gateway.call("GET", f"/v1/videos?{query}")
    assert (answer.status, answer.json()["code"]) == (422, "request.invalid")
    assert query.split("=")[0] in answer.json()["errors"][0]["pointer"]


def test_pages_stay_what_they_are_while_videos_are_added(
    gateway: Gateway, database: Database
) -> None:
    wanted = [admit(database, style="Anime")[0] for _ in range(5)][::-1]
    seen, behind = [], ""
    for _ in range(3):
        page = gateway.call("GET", f"/v1/videos?style=Anime&limit=2{behind}").json()
        seen += [video["id"] for video in page["data"]]
        admit(database, style="Anime")
        admit(database)
        behind = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == wanted


def test_the_text_index_is_the_one_that_the_query_uses(
    gateway: Gateway, database: Database, made: dict[str, str]
) -> None:
    from common.database.search import Search

    wanted = Search(text="boat")
    (condition,) = wanted.conditions()
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT * FROM video_sessions s WHERE {condition}", wanted.values())
        plan = " ".join(row["QUERY PLAN"] for row in cursor.fetchall())
    assert "video_sessions_by_text" in plan


def test_the_timeline_holds_all_runs_in_pages(gateway: Gateway, database: Database) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        for scene in (1, 2):
            runs.add_event(cursor, run_id, "image.succeeded", scene)
        runs.cancel(cursor, video_id, jobs=False)
    assert gateway.call("POST", f"/v1/videos/{video_id}/resume").status == 202
    seen, behind = [], ""
    while True:
        page = gateway.call("GET", f"/v1/videos/{video_id}/events?limit=2{behind}").json()
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        behind = f"&cursor={page['next_cursor']}"
    assert [event["type"] for event in seen] == [
        "run.queued",
        "image.succeeded",
        "image.succeeded",
        "run.canceled",
        "run.queued",
    ]
    assert [event["scene"] for event in seen] == [None, 1, 2, None, None]
    assert len({event["run_id"] for event in seen}) == 2
    assert len({event["id"] for event in seen}) == 5
    assert gateway.call("GET", f"/v1/videos/{video_id}/events", user_id="bob").status == 404


def test_every_asset_has_a_link_and_the_list_has_none(gateway: Gateway, database: Database) -> None:
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
    assert video["links"]["console"] is video["links"]["trace"] is None  # on one machine
    assert video["trace_id"] is None
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["reference_url"] is None


def test_a_video_is_shown_as_of_one_moment(
    gateway: Gateway,
    database: Database,
    migrated: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its story comes in between the reading of its frames and that of its clips."""
    video_id, _ = admit(database)
    read, writer = scenes.frames, Database(migrated)

    def interrupted(cursor: Any, session_id: str) -> Any:
        found = read(cursor, session_id)
        tell(writer, session_id)
        return found

    monkeypatch.setattr(scenes, "frames", interrupted)
    shown = gateway.call("GET", f"/v1/videos/{video_id}")
    assert (shown.status, shown.json()["scenes"]) == (200, None)
    monkeypatch.setattr(scenes, "frames", read)
    assert len(gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"]) == len(STORY.scenes)
    writer.close()


def test_a_cursor_opens_in_its_own_list_only_and_tells_nothing(
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
    told = [mine["next_cursor"], theirs["next_cursor"], events["next_cursor"]]
    assert len(set(told)) == 3
    for cursor in [*told, events["data"][0]["id"]]:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert len(raw) == 16  # of any number
        assert not {int.from_bytes(raw[at : at + 8]) for at in range(9)} & numbers
    again = gateway.call("GET", "/v1/videos?limit=1").json()["next_cursor"]
    assert again != mine["next_cursor"]  # of another row
    assert gateway.call("GET", f"/v1/videos?cursor={told[0]}").status == 200
    altered = told[0][:-1] + ("A" if told[0][-1] != "A" else "Q")
    for wrong in (told[1], told[2], altered, "MTQ", "x" * 64, "\u00e9"):
        reply = gateway.call("GET", f"/v1/videos?cursor={quote(wrong)}")
        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "/cursor"), wrong
        reply = gateway.call("GET", f"/v1/videos/{video_id}/events?cursor={quote(told[0])}")
        assert reply.status == 422


def test_a_cursor_holds_while_the_secret_is_rotated(
    gateway: Gateway, database: Database, secret_store: SecretsManager
) -> None:
    for _ in range(3):
        admit(database)
    first = gateway.call("GET", "/v1/videos?limit=1").json()["next_cursor"]
    rotated = {"SECRET_KEY": "n" * 64, "PREVIOUS_SECRET_KEY": "s" * 64}
    for kept, status in ((rotated, 200), ({"SECRET_KEY": "n" * 64}, 422)):
        secret_store.secrets[KEYS] = kept
        secrets._kept.clear()
        assert gateway.call("GET", f"/v1/videos?cursor={first}").status == status


def test_a_page_is_small_enough_for_an_answer(gateway: Gateway, database: Database) -> None:
    large = {f"{n:02d}" + "\x01" * 62: "\x01" * 500 for n in range(16)}
    wanted = [admit(database, original_prompt="\x01" * 4000, metadata=large)[0] for _ in range(60)]
    seen, behind = [], ""
    while True:
        reply = gateway.call("GET", f"/v1/videos?limit=100{behind}")
        assert len(json.dumps(reply.text).encode()) < 6_000_000
        page = reply.json()
        seen += [video["id"] for video in page["data"]]
        if page["next_cursor"] is None:
            break
        behind = f"&cursor={page['next_cursor']}"
    assert seen == wanted[::-1]
    assert behind  # there was more than one page
