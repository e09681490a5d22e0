"""The product in one process: API, functions and state machine, with a real PostgreSQL.

The vendors are scripted: each call succeeds unless its text contains a marker that the vendor
refuses, or the run's mode names a fault. Prices and the ledger are those of the paid models. A
snapshot of all rows restores an earlier state of a video, from which other actions are explored.
"""

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from common.domain.errors import MediaError
from infra.local.postgres import Postgres
from infra.local.state import State
from migrate import migrations
from tests.faults.machine import Machine, TaskFailed
from tests.faults.scripted_vendors import ScriptedVideoProvider, Vendors
from tests.stand_ins import secrets_manager, step_functions
from tests.support.cold_start import start_cold
from tests.support.gateway import Context, Gateway, Reply
from tests.support.media_store import InMemoryMediaStore

_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:{}-abc123"
_MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:videos"
_DUMP = """
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ 'yoyo'
"""

Snapshot = dict[str, list[dict[str, Any]]]


@dataclass
class InProcessProduct:
    """An in-process product: calls the API, runs executions to the end, and restores snapshots."""

    gateway: Gateway
    vendors: Vendors
    connection: Any
    tables: list[str]
    handlers: dict[str, Any]

    def call(self, method: str, path: str, body: Any = None, *, mode: str = "ok") -> Reply:
        """Send a request; if it starts a run, execute it under the mode without waiting."""
        machine, before = self.gateway.machine, len(self.gateway.machine.started)
        with redirect_stdout(io.StringIO()):  # metrics
            reply = self.gateway.call(method, path, body, headers={"Prefer": "wait=0"})
            for name in machine.started[before:]:
                self._run(json.loads(machine.executions[name]["input"]), mode)
        return reply

    def _run(self, given: dict[str, Any], mode: str) -> None:
        self.vendors.mode, self.vendors.struck = mode, False
        cancel = f"/v1/videos/{given['video_id']}/cancel"
        self.vendors.cancel = lambda *, provider: self.gateway.call(
            "POST", cancel, {"provider": provider}
        )
        if self.vendors.strikes("canceled at once"):
            self.gateway.call("POST", cancel)
        Machine(self._invoke, lambda _seconds: None).run(given)
        self.vendors.mode = "ok"

    def _invoke(self, _state: str, function: str, event: dict[str, Any]) -> Any:
        try:
            return self.handlers[function](event, Context())
        except Exception as error:  # Lambda reports any exception
            raise TaskFailed(type(error).__name__) from None

    def snapshot(self) -> Snapshot:
        """Return all rows of all tables, as JSON."""
        pairs = ", ".join(f"'{t}', (SELECT json_agg(t) FROM {t} t)" for t in self.tables)
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT json_build_object({pairs})")
            (found,) = cursor.fetchone()
        return {table: rows for table, rows in found.items() if rows}

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the rows of a snapshot."""
        insert = (
            "INSERT INTO {0} OVERRIDING SYSTEM VALUE "
            "SELECT * FROM json_populate_recordset(NULL::{0}, %s)"
        )
        statements = [
            "SET session_replication_role = replica",
            *(f"DELETE FROM {table}" for table in self.tables),
            *(insert.format(table) for table in snapshot),
        ]
        with self.connection.cursor() as cursor:
            cursor.execute(";".join(statements), [Json(rows) for rows in snapshot.values()])

    def execute(self, statement: str) -> None:
        """Execute an SQL statement, for a control test."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def rehearsal(root: Path) -> Iterator[InProcessProduct]:
    """Start everything within the context."""
    root.chmod(0o755)
    postgres = Postgres(State.open(root / "state"))
    with ExitStack() as cleanup:
        environment = cleanup.enter_context(pytest.MonkeyPatch.context())
        cleanup.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "No application metrics")
        cleanup.callback(postgres.stop)
        postgres.start()
        vault = cleanup.enter_context(secrets_manager.serve())
        machine = cleanup.enter_context(step_functions.serve())
        vault.secrets[_ARN.format("database")] = {
            "username": "postgres",
            "password": postgres.password,
        }
        vault.secrets[_ARN.format("providers")] = {
            "OPENAI_API_KEY": "sk-x",
            "RUNWAY_API_KEY": "key_x",
        }
        vault.secrets[_ARN.format("keys")] = {"SECRET_KEY": "s" * 64}
        for name, value in _environment(postgres.port, vault.url, machine.url).items():
            environment.setenv(name, value)
        vendors = Vendors()
        handlers = _product(environment, vendors, cleanup)
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=postgres.port,
            user="postgres",
            password=postgres.password,
            dbname="postgres",
        )
        cleanup.callback(connection.close)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER DATABASE postgres SET synchronous_commit = off")
            cursor.execute(_DUMP)
            tables = [name for (name,) in cursor.fetchall()]
        yield InProcessProduct(Gateway(machine), vendors, connection, tables, handlers)


def _environment(port: int, secrets_url: str, machine_url: str) -> dict[str, str]:
    return {
        "STAGE": "local",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(port),
        "DATABASE_NAME": "postgres",
        "DATABASE_SECRET_ARN": _ARN.format("database"),
        "DATABASE_TLS": "disable",
        "MEDIA_BUCKET": "media",
        "TEXT_PROVIDER": "openai",
        "IMAGE_PROVIDER": "openai",
        "VIDEO_PROVIDER": "runway",
        "SPEECH_PROVIDER": "openai",
        "PROVIDERS_SECRET_ARN": _ARN.format("providers"),
        "KEYS_SECRET_ARN": _ARN.format("keys"),
        "STATE_MACHINE_ARN": _MACHINE,
        "CLIP_FUNCTION_NAME": "clip",
        "PROVIDER_LIMITS": "openai.images_per_minute=0,runway.jobs_at_once=0",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": secrets_url,
        "AWS_ENDPOINT_URL_SFN": machine_url,
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_SERVICE_NAME": "rehearsal",
        "POWERTOOLS_METRICS_NAMESPACE": "rehearsal",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }


def _product(
    environment: pytest.MonkeyPatch, vendors: Vendors, cleanup: ExitStack
) -> dict[str, Any]:
    """Inject the vendors and the store into the functions; return their handlers."""
    # Imported late: Powertools reads its settings at import.
    from clip import handler as clip
    from common import providers, runtime
    from common.application import inbox_results
    from common.aws import lambda_invoke, secrets
    from common.aws.log import logger
    from common.media import demuxers, ffmpeg
    from common.settings import (
        ApiSettings,
        DatabaseSettings,
        FinishSettings,
        GenerationSettings,
        MergeSettings,
    )
    from finish import handler as finish
    from image import handler as image
    from merge import deliverables
    from merge import handler as merge
    from story import handler as story

    store = InMemoryMediaStore()
    start_cold()
    cleanup.callback(start_cold)
    for settings in (ApiSettings, GenerationSettings, MergeSettings, FinishSettings):
        runtime.provide(settings, store=store)
    environment.setattr(secrets, "_cache", {})
    cleanup.callback(logger.setLevel, logger.log_level)
    logger.setLevel("CRITICAL")
    noise = logging.getLogger("aws_lambda_powertools")
    cleanup.callback(noise.setLevel, noise.level)
    noise.setLevel(logging.CRITICAL)  # the tracer logs every exception
    environment.setattr(providers, "text_provider", lambda *_: vendors)
    environment.setattr(providers, "image_provider", lambda *_: vendors)
    environment.setattr(providers, "video_provider", lambda *_: ScriptedVideoProvider(vendors))
    environment.setattr(ffmpeg, "decode", lambda _path, **_: _facts())
    environment.setattr(demuxers, "video_type", lambda *_: "video/mp4")
    environment.setattr(
        deliverables, "render_deliverables", lambda _order, room: _product_of(vendors, room)
    )
    environment.setattr(inbox_results, "write_results_of_run", lambda *_: None)
    environment.setattr(
        lambda_invoke, "invoke_async", lambda _name, event: clip.handler(event, Context())
    )
    migrations.apply(DatabaseSettings.model_validate(dict(os.environ)))
    return {
        "story": story.handler,
        "image": image.handler,
        "clip": clip.handler,
        "merge": merge.handler,
        "finish": finish.handler,
    }


def _facts() -> SimpleNamespace:
    """Return the facts of a decoded clip."""
    return SimpleNamespace(
        seconds=5.0, frames=120, width=960, height=960, has_sound=False, trimmed=False, codecs=[]
    )


def _product_of(vendors: Vendors, room: Path) -> Any:
    """Return placeholder deliverables, whose content does not matter here."""
    from merge.deliverables import Deliverable, Deliverables
    from merge.models import MergedVideo

    if vendors.strikes("merge failed"):
        raise MediaError("A clip cannot be read.", code="merge.broken_clip")
    path = room / "video.mp4"
    path.write_bytes(b"video")
    poster = room / "poster.jpg"
    poster.write_bytes(b"poster")
    cut = MergedVideo(
        path, 240, 10.0, 5, "0" * 64, (960, 960), Fraction(24), has_sound=False, parts=()
    )
    files = (Deliverable("video", path, 5, "0" * 64), Deliverable("poster", poster, 6, "0" * 64))
    return Deliverables(cut, files)
