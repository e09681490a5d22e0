"""Cold start: the time from the start of a new process to its first response.

Each function runs on the deployed layer in a new interpreter and handles an event for a finished
video: it reads settings, fetches the secret, connects to the database and queries it. The baseline
is a process on the same layer that imports boto3 and creates an S3 client.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from common.database import Database, runs, scenes, videos
from common.database.keys import ApiKey
from common.database.keys import insert as insert_key
from common.database.videos import FinalVideo
from common.domain import api_keys, ids
from common.domain.video import FREE
from common.settings import DatabaseSettings
from infra import function_sources
from infra.local.postgres import Postgres
from infra.local.state import PROJECT, State
from migrate import migrations
from tests.benchmarks.report import side_by_side, table
from tests.stand_ins import secrets_manager
from tests.support.rows import STORY, video_record

LAYER = PROJECT / "build" / "layers" / "local" / "dependencies" / "python"
RUNS = 9
FIRST_REQUEST = "a first request: authorizer, api"
GOALS = {"baseline": 1.0, "authorizer": 0.9, "api": 1.3, FIRST_REQUEST: 2.2}
OTHERS = 1.15
DATABASE_SECRET, KEYS_SECRET, PROVIDERS_SECRET = "arn:database", "arn:keys", "arn:providers"
SECRET_KEY = "s" * 64

BASELINE = "import boto3; boto3.client('s3')"
# A minimal Lambda runtime that handles one event.
FIRST_EVENT = """
import importlib, json, sys
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"
    log_stream_name = log_group_name = function_version = "x"
    def get_remaining_time_in_millis(self): return 30000
handler = importlib.import_module(sys.argv[1] + ".handler").handler
answer = handler(json.loads(sys.argv[2]), Context())
if answer.get("statusCode", 200) >= 400:
    sys.exit(answer["body"])
"""


def main(*, smallest: bool = False) -> None:
    """Print each function's cold start as a ratio to the baseline, with its asset's size."""
    if not LAYER.exists():
        subprocess.run([sys.executable, "-m", "layers", "local"], check=True, cwd=PROJECT)
    with tempfile.TemporaryDirectory() as folder, secrets_manager.serve() as store:
        Path(folder).chmod(0o755)
        postgres = Postgres(State.open(Path(folder) / "state"))
        postgres.start()
        try:
            _print(postgres, store, runs=1 if smallest else RUNS)
        finally:
            postgres.stop()


def _print(postgres: Postgres, store: secrets_manager.SecretsManager, runs: int) -> None:
    store.secrets[DATABASE_SECRET] = {"username": "postgres", "password": postgres.password}
    store.secrets[KEYS_SECRET] = {"SECRET_KEY": SECRET_KEY}
    store.secrets[PROVIDERS_SECRET] = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}
    environment = _environment(postgres, store.url)
    events = _events(environment)

    def fresh(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-S", "-c", *arguments],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[1:2]}: {done.stderr[-2000:]}")

    actions: dict[str, Callable[[], None]] = {"baseline": partial(fresh, BASELINE)}
    for name, event in events.items():
        actions[name] = partial(fresh, FIRST_EVENT, name, json.dumps(event))
    timing = side_by_side(actions, runs, warm_up=int(runs > 1))
    timing[FIRST_REQUEST] = timing["authorizer"] + timing["api"]
    baseline, rows = timing["baseline"], []
    for name, measured in timing.items():
        rows.append(
            [
                *(name, f"{measured.median * 1000:.0f}", f"{measured.over(baseline):.2f}"),
                f"{measured.processor_over(baseline):.2f}",
                f"{GOALS.get(name, OTHERS):.2f}",
                f"{_asset_bytes(name) / 1024:.0f}" if name in events else "",
            ]
        )
    table(
        f"Cold start, median of {runs} fresh processes (baseline: {BASELINE})",
        ["function", "ms", "ratio", "of processor time", "goal", "asset KiB"],
        rows,
    )


def _environment(postgres: Postgres, endpoint: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{PROJECT / 'functions'}{os.pathsep}{LAYER}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_ENDPOINT_URL": endpoint,
        "LAMBDA_TASK_ROOT": "/var/task",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "_X_AMZN_TRACE_ID": "Root=1-65d3e1f1-0123456789abcdef01234567;Sampled=0",
        "STAGE": "local",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(postgres.port),
        "DATABASE_NAME": "postgres",
        "DATABASE_SECRET_ARN": DATABASE_SECRET,
        "DATABASE_TLS": "disable",
        "KEYS_SECRET_ARN": KEYS_SECRET,
        "OPERATOR_USER_ID": "operator",
        "MEDIA_BUCKET": "media",
        "TEXT_PROVIDER": "offline",
        "IMAGE_PROVIDER": "offline",
        "VIDEO_PROVIDER": "offline",
        "SPEECH_PROVIDER": "offline",
        "PROVIDERS_SECRET_ARN": PROVIDERS_SECRET,
        "CLIP_FUNCTION_NAME": "clip",
        "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:video",
    }


def _events(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Create a finished video and an API key; return an event for each function."""
    os.environ.update(environment)
    settings = DatabaseSettings.model_validate(environment)
    migrations.apply(settings)
    database, row, run_id = Database(settings), video_record(), ids.new("run")
    key = api_keys.mint(live=True)
    with database.transaction() as cursor:
        owner = ApiKey("key_1", "alice", "bench", True, [], ["*"], 10_000, 100_000, 100)
        insert_key(cursor, owner, digest=api_keys.digest(key), prefix=key[:12], expires_at=None)
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
        # Dated tomorrow, so that the sweeper ignores it.
        cursor.execute("UPDATE runs SET created_at = now() + interval '1 day'")
        scenes.insert_story(cursor, row.session_id, STORY, row.style, row.mood)
        for n in (1, 2, 3):
            place = (cursor, row.session_id, n, 1)
            scenes.finish_image(*place, key=f"alice/x/{n}.png", usd=FREE.usd)
            scenes.finish_clip(*place, key=f"alice/x/{n}.mp4", frames=120, usd=FREE.usd)
        videos.insert_final(
            cursor,
            row.session_id,
            FinalVideo(
                1, "alice/x/f.mp4", "alice/x/f.jpg", 3, "15", 360, 1, "0" * 64, output=row.output
            ),  # with the requested output, so that the merge has nothing to do
        )
    database.close()
    step = {"run_id": run_id, "video_id": row.session_id}
    return {
        "authorizer": {
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/live/GET/v1/videos",
            "headers": {"Authorization": f"Bearer {key}"},
        },
        "api": _request("GET", "/v1/videos"),
        "story": step,
        "image": {**step, "scene": 1},
        "clip": {**step, "scene": 1, "action": "check"},
        "merge": step,
        # Recording the failure of an unknown run would be an error, so one scene of it exists.
        "finish": {**step, "action": "scene_failed", "scene": 1, "error": "States.Timeout"},
        "sweeper": {"source": "schedule"},
    }


def _request(method: str, path: str) -> dict[str, Any]:
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "requestId": "bench",
            "requestTimeEpoch": round(time.time() * 1000),
            "httpMethod": method,
            "path": path,
            "authorizer": {
                "key_id": "key_1",
                "user_id": "alice",
                "live": "true",
                "scopes": "",
                "per_minute": "100000",
                "per_hour": "1000000",
                "max_runs": "100",
            },
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _asset_bytes(name: str) -> int:
    return sum(path.stat().st_size for path in function_sources.files(name))
