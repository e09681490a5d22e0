"""Two owners who have one of everything, and what each of them would not tell the other."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.database import Database, runs, scenes, videos
from common.database import keys as key_rows
from common.database.keys import ApiKey
from common.database.videos import FinalVideo
from common.domain import api_keys, ids
from common.domain.video import RunScope, Scene, Story
from tests.integration.http.service import Service
from tests.support.rows import wish


@dataclass(frozen=True)
class Owner:
    """A user with a key, a finished, a failed and an open video, an upload, and links to them.

    `canary` is in everything that is theirs, in their name too.
    """

    user_id: str
    canary: str
    key: str
    key_id: str
    finished: str
    failed: str
    open: str
    named: str  # the `request_id` of the finished video
    run: str  # makes a part of a video
    upload: str
    media: tuple[str, ...]
    objects: tuple[str, ...]  # their keys in S3
    capabilities: tuple[str, ...]

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Every identifier of something that is theirs."""
        videos = (self.finished, self.failed, self.open, self.named)
        return (self.key_id, *videos, self.run, self.upload, *self.media)


def operator() -> str:
    """The operator's key of the surroundings."""
    return api_keys.operator_key("s" * 64, "root")


def mint(rows: Database, user_id: str, **changes: Any) -> tuple[str, str]:
    """Store a key with wide limits; return its id and its secret."""
    secret, key_id = api_keys.mint(live=True), ids.new("key")
    values: dict[str, Any] = {
        "key_id": key_id,
        "user_id": user_id,
        "name": f"key of {user_id}",
        "live": True,
        "scopes": [],
        "endpoints": ["*"],
        "per_minute": 1_000_000,
        "per_hour": 1_000_000,
        "max_concurrent_runs": 1_000,
    }
    with rows.transaction() as cursor:
        key_rows.insert(
            cursor,
            ApiKey(**{**values, **changes}),
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            expires_at=None,
        )
    return key_id, secret


def video(rows: Database, user_id: str, key_id: str, status: str, **changes: Any) -> str:
    """Store a video of one scene as a run leaves it that ended so, or `queued`; return its id."""
    row = wish(
        user_id=user_id,
        key_id=key_id,
        frame_count=1,
        original_prompt=f"prompt of {user_id}",
        metadata={"of": user_id},
        **changes,
    )
    run_id = ids.new("run")
    folder = f"{user_id}/{row.session_id}"
    with rows.transaction() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0), key_id=key_id)
        if status == "queued":
            return row.session_id
        scenes.insert_story(cursor, row.session_id, _story(user_id), row.style, row.mood)
        scenes.finish_image(
            cursor,
            row.session_id,
            1,
            1,
            usd=Decimal(0),
            key=f"{folder}/reference-frames/generated_frame_1_1.png",
        )
        if status == "failed":
            runs.fail(cursor, run_id, failure(user_id))
            return row.session_id
        clip = f"{folder}/video-clips/generated_clip_1_1.mp4"
        scenes.finish_clip(cursor, row.session_id, 1, 1, key=clip, frames=120, usd=Decimal(0))
        videos.insert_final(cursor, row.session_id, _cut(f"{folder}/video-clips/final_video_1", 1))
        runs.succeed(cursor, run_id)
    return row.session_id


def failure(user_id: str) -> dict[str, Any]:
    """What the record of a failed run says."""
    return {
        "code": "provider.failed",
        "stage": "clip",
        "scene": 1,
        "detail": f"of {user_id}",
        "retryable": True,
        "billed": False,
    }


def make(rows: Database, run_id: str, owner: Owner) -> None:
    """Store what a run was to make, and end it well."""
    with rows.transaction() as cursor:
        run = runs.get(cursor, run_id, owner.user_id)
        place = f"{owner.user_id}/{run.session_id}"
        if run.work.scope is RunScope.STORY:
            scenes.insert_story(cursor, run.session_id, _story(owner.user_id), "Anime", "Calm")
        for scene, version in run.work.versions.items():
            where = (cursor, run.session_id, scene, version)
            if run.work.scope is RunScope.IMAGE:
                key = f"{place}/reference-frames/generated_frame_{scene}_{version}.png"
                scenes.finish_image(*where, key=key, usd=Decimal(0))
            else:
                key = f"{place}/video-clips/generated_clip_{scene}_{version}.mp4"
                scenes.finish_clip(*where, key=key, frames=120, usd=Decimal(0))
        if run.work.scope in (RunScope.MERGE, RunScope.VIDEO):
            videos.insert_final(
                cursor, run.session_id, _cut(f"{place}/video-clips/final_video_2", 2)
            )
        runs.succeed(cursor, run_id)


def _cut(key: str, version: int) -> FinalVideo:
    return FinalVideo(version, f"{key}.mp4", f"{key}.jpg", 1, "5", 120, 1000, "0" * 64)


def _story(user_id: str) -> Story:
    scene = Scene(1, 0, f"scene of {user_id}", user_id, user_id)
    return Story(f"title of {user_id}", "x", (scene,))


def settle(service: Service, rows: Database, name: str) -> Owner:
    """Make an owner with everything."""
    user_id = canary = f"canary-{name}"
    key_id, key = mint(rows, user_id)
    named = f"named-{name}"
    finished = video(rows, user_id, key_id, "succeeded", request_id=named)
    failed, still_open = (video(rows, user_id, key_id, end) for end in ("failed", "queued"))
    announced = {"media_type": "image/png", "size_bytes": 100, "name": canary}
    upload = service.call("POST", "/v1/uploads", announced, key=key).json()["id"]
    part = {"prompt": f"prompt of {user_id}", "requestId": f"part-{name}"}
    started = service.call(
        "POST", "/api/generate_story", part, key=key, headers={"Prefer": "wait=0"}
    ).json()
    listed = service.call("GET", "/v1/media?limit=100", key=key).json()["data"]
    shown = [item for item in listed if item["url"]]
    return Owner(
        user_id,
        canary,
        key,
        key_id,
        finished,
        failed,
        still_open,
        named,
        started["runId"],
        upload,
        media=tuple(item["id"] for item in listed),
        objects=tuple(item["s3_key"] for item in shown),
        capabilities=tuple(item["url"].partition("?t=")[2] for item in shown),
    )


def everything_of(rows: Database, owner: Owner) -> dict[str, list[str]]:
    """Return every stored row that is the owner's, as text, by table."""
    found: dict[str, list[str]] = {}
    marks = [f"%{mark}%" for mark in (owner.canary, *owner.identifiers)]
    with rows.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in [row["tablename"] for row in cursor.fetchall()]:
            if table in ("key_requests", "rate_windows"):  # every request of their own changes it
                continue
            cursor.execute(
                f"SELECT t::text AS row FROM {table} t WHERE t::text LIKE ANY(%s) ORDER BY 1",
                (marks,),
            )
            found[table] = [row["row"] for row in cursor.fetchall()]
    return found
