"""Owners with one resource of every kind, for tests of isolation between users."""

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
from tests.support.rows import video_record


@dataclass(frozen=True)
class Owner:
    """A user with a key, a finished, a failed and a queued video, an upload and signed links.

    Everything that belongs to the user contains `canary`, including the user id.
    """

    user_id: str
    canary: str
    key: str
    key_id: str
    finished: str
    failed: str
    open: str
    request_id: str  # of the finished video
    run: str  # makes a single step
    upload: str
    media: tuple[str, ...]
    objects: tuple[str, ...]  # S3 keys of `media`
    link_tokens: tuple[str, ...]

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Return every identifier of the owner's resources."""
        videos = (self.finished, self.failed, self.open, self.request_id)
        return (self.key_id, *videos, self.run, self.upload, *self.media)


def operator() -> str:
    """Return the operator's API key of the test environment."""
    return api_keys.operator_key("s" * 64, "root")


def mint(rows: Database, user_id: str, **changes: Any) -> tuple[str, str]:
    """Insert an API key with high limits; return its id and its secret."""
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


def insert_video(rows: Database, user_id: str, key_id: str, status: str, **changes: Any) -> str:
    """Insert a video of one scene with a run of that status, or `queued`; return its id."""
    record = video_record(
        user_id=user_id,
        key_id=key_id,
        frame_count=1,
        original_prompt=f"prompt of {user_id}",
        metadata={"of": user_id},
        **changes,
    )
    run_id = ids.new("run")
    folder = f"{user_id}/{record.session_id}"
    with rows.transaction() as cursor:
        videos.insert(cursor, record)
        runs.insert(cursor, run_id, record.session_id, "create", Decimal(0), key_id=key_id)
        if status == "queued":
            return record.session_id
        scenes.insert_story(cursor, record.session_id, _story(user_id), record.style, record.mood)
        scenes.finish_image(
            cursor,
            record.session_id,
            1,
            1,
            usd=Decimal(0),
            key=f"{folder}/reference-frames/generated_frame_1_1.png",
        )
        if status == "failed":
            runs.fail(cursor, run_id, failure_record(user_id))
            return record.session_id
        clip = f"{folder}/video-clips/generated_clip_1_1.mp4"
        scenes.finish_clip(cursor, record.session_id, 1, 1, key=clip, frames=120, usd=Decimal(0))
        videos.insert_final(
            cursor, record.session_id, _final_video(f"{folder}/video-clips/final_video_1", 1)
        )
        runs.succeed(cursor, run_id)
    return record.session_id


def failure_record(user_id: str) -> dict[str, Any]:
    """Return the failure record of a run."""
    return {
        "code": "provider.failed",
        "stage": "clip",
        "scene": 1,
        "detail": f"of {user_id}",
        "retryable": True,
        "billed": False,
    }


def finish_run(rows: Database, run_id: str, owner: Owner) -> None:
    """Insert the results of a run and mark it as succeeded."""
    with rows.transaction() as cursor:
        run = runs.get(cursor, run_id, owner.user_id)
        folder = f"{owner.user_id}/{run.session_id}"
        if run.work.scope is RunScope.STORY:
            scenes.insert_story(cursor, run.session_id, _story(owner.user_id), "Anime", "Calm")
        for scene, version in run.work.versions.items():
            target = (cursor, run.session_id, scene, version)
            if run.work.scope is RunScope.IMAGE:
                key = f"{folder}/reference-frames/generated_frame_{scene}_{version}.png"
                scenes.finish_image(*target, key=key, usd=Decimal(0))
            else:
                key = f"{folder}/video-clips/generated_clip_{scene}_{version}.mp4"
                scenes.finish_clip(*target, key=key, frames=120, usd=Decimal(0))
        if run.work.scope in (RunScope.MERGE, RunScope.VIDEO):
            videos.insert_final(
                cursor, run.session_id, _final_video(f"{folder}/video-clips/final_video_2", 2)
            )
        runs.succeed(cursor, run_id)


def _final_video(key: str, version: int) -> FinalVideo:
    return FinalVideo(version, f"{key}.mp4", f"{key}.jpg", 1, "5", 120, 1000, "0" * 64)


def _story(user_id: str) -> Story:
    scene = Scene(1, 0, f"scene of {user_id}", user_id, user_id)
    return Story(f"title of {user_id}", "x", (scene,))


def create_owner(service: Service, rows: Database, name: str) -> Owner:
    """Create an owner with one resource of every kind."""
    user_id = canary = f"canary-{name}"
    key_id, key = mint(rows, user_id)
    request_id = f"named-{name}"
    finished = insert_video(rows, user_id, key_id, "succeeded", request_id=request_id)
    failed, queued = (
        insert_video(rows, user_id, key_id, status) for status in ("failed", "queued")
    )
    upload_request = {"media_type": "image/png", "size_bytes": 100, "name": canary}
    upload = service.call("POST", "/v1/uploads", upload_request, key=key).json()["id"]
    step_request = {"prompt": f"prompt of {user_id}", "requestId": f"part-{name}"}
    step = service.call(
        "POST", "/api/generate_story", step_request, key=key, headers={"Prefer": "wait=0"}
    ).json()
    media = service.call("GET", "/v1/media?limit=100", key=key).json()["data"]
    linked = [item for item in media if item["url"]]
    return Owner(
        user_id,
        canary,
        key,
        key_id,
        finished,
        failed,
        queued,
        request_id,
        step["runId"],
        upload,
        media=tuple(item["id"] for item in media),
        objects=tuple(item["s3_key"] for item in linked),
        link_tokens=tuple(item["url"].partition("?t=")[2] for item in linked),
    )


def rows_of(rows: Database, owner: Owner) -> dict[str, list[str]]:
    """Return every row that belongs to the owner, as text, by table."""
    rows_by_table: dict[str, list[str]] = {}
    patterns = [f"%{identifier}%" for identifier in (owner.canary, *owner.identifiers)]
    with rows.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in [row["tablename"] for row in cursor.fetchall()]:
            if table in (
                "key_requests",
                "rate_windows",
            ):  # changed by each of the owner's own requests
                continue
            cursor.execute(
                f"SELECT t::text AS row FROM {table} t WHERE t::text LIKE ANY(%s) ORDER BY 1",
                (patterns,),
            )
            rows_by_table[table] = [row["row"] for row in cursor.fetchall()]
    return rows_by_table
