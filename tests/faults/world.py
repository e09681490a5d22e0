"""What surrounds a worker: PostgreSQL, S3, Secrets Manager, and the stand-ins of both vendors."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from common import ids
from common.database import Database, runs, videos
from common.providers import models
from common.settings import DatabaseSettings
from infra.local.emulator import Emulator
from infra.local.postgres import Postgres
from infra.local.state import PROJECT, State
from migrate import migrations
from tests.contract.rows import wish
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn

BUCKET, REGION = "media", "us-east-1"
SCENES, SECONDS = 2, 2
_WORKER_SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """What became of a worker: the points that it passed, and how it ended (empty if killed)."""

    points: list[str]
    ended: str


@dataclass
class World:
    """Everything that a worker touches, and the judge's view of it."""

    environment: dict[str, str]
    database: Database
    openai: StandIn
    runway: StandIn
    tools: Path
    seen: dict[str, int] = field(default_factory=dict)

    def admit(self, *, on_unknown: str = "fail", seed: int = 1) -> tuple[str, str]:
        """Store a video of two scenes with paid models, as admission does; return video and run."""
        paid = models.paid()
        row = wish(
            frame_count=SCENES,
            clip_seconds=SECONDS,
            seed=seed,
            on_unknown=on_unknown,
            text_provider=paid.text.provider,
            text_model=paid.text.model,
            image_provider=paid.image.provider,
            image_model=paid.image.model,
            video_provider=paid.video.provider,
            video_model=paid.video.model,
            original_prompt=f"A paper boat crosses a pond ({ids.new('case')})",
        )
        return row.session_id, self._begin(row.session_id, "create", row)

    def resume(self, video_id: str) -> str:
        """Start a new run over the video, after every lease has ended; return its id."""
        with self.database.transaction() as cursor:
            cursor.execute("UPDATE provider_jobs SET lease_until = now() - interval '1 second'")
            cursor.execute(
                "UPDATE runs SET status = 'failed', ended_at = now() "
                "WHERE session_id = %s AND status IN ('queued', 'running')",
                (video_id,),
            )
            cursor.execute(
                "UPDATE video_sessions SET status = 'failed' WHERE session_id = %s", (video_id,)
            )
            videos.reopen(cursor, video_id)
        return self._begin(video_id, "resume", None)

    def work(self, video_id: str, run_id: str, kill_at: int = 0, *, naive: bool = False) -> Outcome:
        """Let a worker do the run, and be killed at a point."""
        control = ["naive"] if naive else []
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.worker", video_id, run_id, str(kill_at), *control],
            cwd=PROJECT,
            env={**self.environment, "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=_WORKER_SECONDS,
            check=False,
        )
        lines = done.stdout.splitlines()
        points = [line.split(" ", 1)[1] for line in lines if line[:1].isdigit()]
        ended = next((line[6:] for line in lines if line.startswith("ended ")), "")
        if not ended and done.returncode != -9:
            raise AssertionError(f"the worker failed by itself: {done.stderr[-3000:]}")
        return Outcome(points, ended)

    def charges(self) -> int:
        """How many paid calls the vendors' own books hold."""
        return sum(
            charge.kind != "refund"
            for vendor in (self.openai, self.runway)
            for charge in vendor.charges()
        )

    def ledger(self, video_id: str) -> list[dict[str, Any]]:
        """Return our ledger of the video."""
        with self.database.transaction() as cursor:
            cursor.execute(
                "SELECT kind, scene, attempt, state, possible_duplicate, actual_usd "
                "FROM provider_jobs WHERE session_id = %s ORDER BY id",
                (video_id,),
            )
            return [dict(row) for row in cursor.fetchall()]

    def status(self, video_id: str) -> str:
        """Return the video's status."""
        with self.database.transaction() as cursor:
            return videos.get(cursor, video_id).status

    def _begin(self, video_id: str, kind: str, row: Any) -> str:
        run_id = ids.new("run")
        with self.database.transaction() as cursor:
            if row is not None:
                videos.insert(cursor, row)
            runs.insert(cursor, run_id, video_id, kind, Decimal(0))
        return run_id


@contextmanager
def world(root: Path) -> Iterator[World]:
    """Start everything; it ends with the block."""
    root.chmod(0o755)
    state = State.open(root / "state")
    postgres, emulator = Postgres(state), Emulator(state)
    tools = root / "bin"
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    (root / "openai").mkdir()
    (root / "runway").mkdir()
    try:
        postgres.start()
        emulator.start(postgres.password)
        with openai.serve(root / "openai") as text, runway.serve(root / "runway") as video:
            yield _furnish(postgres, emulator, text, video, tools)
    finally:
        emulator.stop()
        postgres.stop()


def _furnish(
    postgres: Postgres, emulator: Emulator, text: StandIn, video: StandIn, tools: Path
) -> World:
    import boto3

    session = boto3.Session(emulator.access_key_id, emulator.secret_access_key, region_name=REGION)
    session.client("s3", endpoint_url=emulator.url).create_bucket(Bucket=BUCKET)
    secret_store = session.client("secretsmanager", endpoint_url=emulator.url)

    def secret(name: str, **values: str) -> str:
        arn: str = secret_store.create_secret(Name=name, SecretString=json.dumps(values))["ARN"]
        return arn

    environment = {
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'functions'}",
        "HOME": os.environ.get("HOME", "/"),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": emulator.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.secret_access_key,
        "AWS_ENDPOINT_URL": emulator.url,
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "worker",
        "POWERTOOLS_METRICS_NAMESPACE": "worker",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "STAGE": "local",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(postgres.port),
        "DATABASE_NAME": "postgres",
        "DATABASE_SECRET_ARN": secret("database", username="postgres", password=postgres.password),
        "DATABASE_TLS": "disable",
        "MEDIA_BUCKET": BUCKET,
        "TEXT_PROVIDER": "openai",
        "IMAGE_PROVIDER": "openai",
        "VIDEO_PROVIDER": "runway",
        "SPEECH_PROVIDER": "openai",
        "PROVIDERS_SECRET_ARN": secret(
            "providers", OPENAI_API_KEY=text.api_key, RUNWAY_API_KEY=video.api_key
        ),
        "OPENAI_BASE_URL": text.base_url,
        "RUNWAY_BASE_URL": video.base_url,
        # Hundreds of runs a minute: what is judged here is not who waits for whom.
        "PROVIDER_LIMITS": "openai.images_per_minute=0,runway.jobs_at_once=0",
    }
    os.environ.update(
        {name: value for name, value in environment.items() if name.startswith("AWS_")}
    )
    settings = DatabaseSettings.model_validate(environment)
    migrations.apply(settings)
    return World(environment, Database(settings), text, video, tools)
