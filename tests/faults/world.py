"""The environment of the workers: PostgreSQL, S3, Secrets Manager, and lanes with two vendors each.

A lane runs one case at a time. It has its own database, stand-ins and prefork server, so that rows,
clocks and charges belong to its cases. Lanes share the servers.
"""

import json
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import boto3
import imageio_ffmpeg

from common.database import Database
from common.settings import DatabaseSettings
from infra.local.emulator import Emulator
from infra.local.postgres import Postgres
from infra.local.state import PROJECT, State
from migrate import migrations
from tests.faults import ports, sql_port, workers
from tests.faults.workers import Forge
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn

BUCKET, REGION = "media", "us-east-1"

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass
class Lane:
    """The resources of one case at a time."""

    number: int
    openai: StandIn
    runway: StandIn
    forge: Forge
    database: Database
    s3: Any


class World:
    """All lanes, over which cases are distributed."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in lanes:
            self._free.put(lane)
        self._pool = ThreadPoolExecutor(len(lanes))

    def submit(
        self,
        case: Callable[Concatenate[Lane, Given], Result],
        *args: Given.args,
        **more: Given.kwargs,
    ) -> "Future[Result]":
        """Run a case with the next free lane and the arguments; return its future."""

        def run_case() -> Result:
            lane = self._free.get()
            try:
                return case(lane, *args, **more)
            finally:
                self._free.put(lane)

        return self._pool.submit(run_case)

    def close(self) -> None:
        """Cancel cases that have not started, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def world(root: Path, lanes: int = 3) -> Iterator[World]:
    """Start everything within the context. Lanes mostly wait, so use more lanes than cores."""
    root.chmod(0o755)
    state = State.open(root / "state")
    postgres, emulator = Postgres(state), Emulator(state)
    tools = root / "bin"
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    with ExitStack() as cleanup:
        cleanup.callback(postgres.stop)
        postgres.start()
        cleanup.callback(emulator.stop)
        emulator.start(postgres.password)
        shared = _environment(postgres, emulator, tools)
        os.environ.update({k: v for k, v in shared.items() if k.startswith("AWS_")})
        _crowd(postgres)
        made = World(
            [
                cleanup.enter_context(_lane(root / f"lane{n}", n, postgres, shared))
                for n in range(lanes)
            ]
        )
        cleanup.callback(made.close)
        yield made


@contextmanager
def _lane(folder: Path, number: int, postgres: Postgres, shared: dict[str, str]) -> Iterator[Lane]:
    folder.mkdir()
    connection = postgres.connect()
    connection.run(f"CREATE DATABASE lane{number}")
    connection.close()
    serve_film = partial(runway.serve, pending_seconds=5, running_seconds=5)
    with (
        openai.serve(folder / "openai") as text,
        # Thousands of cases share an account, so its credits must suffice.
        serve_film(folder / "runway", credits=10**9, clips=str(folder.parent / "clips")) as film,
    ):
        aws = boto3.Session(
            shared["AWS_ACCESS_KEY_ID"], shared["AWS_SECRET_ACCESS_KEY"], region_name=REGION
        )
        endpoint = shared["AWS_ENDPOINT_URL"]
        secret = aws.client("secretsmanager", endpoint_url=endpoint).create_secret(
            Name=f"providers-{number}",
            SecretString=json.dumps(
                {"OPENAI_API_KEY": text.api_key, "RUNWAY_API_KEY": film.api_key}
            ),
        )
        environment = {
            **shared,
            "DATABASE_NAME": f"lane{number}",
            "PROVIDERS_SECRET_ARN": secret["ARN"],
            "OPENAI_BASE_URL": text.base_url,
            "RUNWAY_BASE_URL": film.base_url,
        }
        settings = DatabaseSettings.model_validate(environment)
        migrations.apply(settings)
        owners = ports.owners(
            {
                "openai": text.url,
                "runway": film.urls["api"],
                "media": film.urls["media"],
                "aws": endpoint,
            }
        )
        with workers.forge(folder, environment, owners) as forge:
            s3 = aws.client("s3", endpoint_url=endpoint)
            yield Lane(number, text, film, forge, Database(settings), s3)


def _environment(postgres: Postgres, emulator: Emulator, tools: Path) -> dict[str, str]:
    aws = boto3.Session(emulator.access_key_id, emulator.secret_access_key, region_name=REGION)
    aws.client("s3", endpoint_url=emulator.url).create_bucket(Bucket=BUCKET)
    secret = aws.client("secretsmanager", endpoint_url=emulator.url).create_secret(
        Name="database",
        SecretString=json.dumps({"username": "postgres", "password": postgres.password}),
    )
    return {
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'functions'}",
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": emulator.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.secret_access_key,
        "AWS_ENDPOINT_URL": emulator.url,
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "worker",
        "POWERTOOLS_METRICS_NAMESPACE": "worker",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",  # log everything that may ever be logged
        "STAGE": "local",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(postgres.port),
        "DATABASE_SECRET_ARN": secret["ARN"],
        "DATABASE_TLS": "disable",
        "MEDIA_BUCKET": BUCKET,
        "CLIP_FUNCTION_NAME": "clip",
        "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:played",
        "TEXT_PROVIDER": "openai",
        "IMAGE_PROVIDER": "openai",
        "VIDEO_PROVIDER": "runway",
        "SPEECH_PROVIDER": "openai",
        # Waiting for provider slots is not tested here.
        "PROVIDER_LIMITS": "openai.images_per_minute=0,runway.jobs_at_once=0",
    }


def _crowd(postgres: Postgres) -> None:
    """Create a role with the superuser's password and without free connections."""
    connection = postgres.connect()
    connection.run(
        f"CREATE ROLE {sql_port.CROWDED} LOGIN CONNECTION LIMIT 0 PASSWORD '{postgres.password}'"
    )
    connection.close()
