"""Business metrics of runs, as CloudWatch parses them from the log (EMF)."""

from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from common import runtime
from common.database import Database, attempts, runs
from common.database.attempts import Step
from common.domain.errors import OutcomeUnknown, PermanentError
from common.domain.video import Stage
from common.settings import DatabaseSettings, FinishSettings
from tests.integration.billing.test_paid_calls import PaidCallHarness
from tests.support.emf import metrics
from tests.support.fixtures import as_role
from tests.support.gateway import Context, Gateway, quietly
from tests.support.rows import admit, insert_story

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 3, "seconds": 5}
LAMBDA: Any = Context()


def emitted_metrics(output: str, name: str) -> list[tuple[dict[str, str], tuple[float, ...]]]:
    """Return dimensions and values of each metric of that name, without the service."""
    emitted = [(dict(metric.dimensions), metric.values) for metric in metrics(output, name)]
    assert all(dimensions.pop("service") == "runs" for dimensions, _ in emitted)
    return emitted


@pytest.fixture
def finish(migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The function `finish` under its own database role."""
    from finish import handler as function  # late: Powertools reads its settings at import

    for name, value in as_role(migrated, "finish").model_dump(by_alias=True, mode="json").items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MEDIA_BUCKET", "media")
    runtime.provide(FinishSettings)
    yield lambda event: quietly(function.handler, event, LAMBDA)
    runtime.reset()


def test_canceled_run_is_counted_once(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    for _ in range(2):
        assert gateway.call("POST", created["links"]["cancel"]).status == 200
    output = capsys.readouterr().out
    assert emitted_metrics(output, "RunsEnded") == [({"outcome": "canceled"}, (1.0,))]
    assert emitted_metrics(output, "RunsFailed") == []


def test_failed_run_is_counted_by_its_code(
    database: Database, finish: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        runs.add_event(
            cursor, run_id, "image.failed", 1, {"code": "safety.input", "detail": "Declined."}
        )
    event = {"action": "fail", "run_id": run_id, "video_id": video_id, "error": "PermanentError"}
    assert [finish(event), finish(event)] == [{"recorded": True}, {"recorded": False}]
    output = capsys.readouterr().out
    assert emitted_metrics(output, "RunsEnded") == [({"outcome": "failed"}, (1.0,))]
    assert emitted_metrics(output, "RunsFailed") == [({"code": "safety.input"}, (1.0,))]


def test_finished_run_reports_its_stage_durations(
    database: Database, finish: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video_id, run_id = admit(database)
    insert_story(database, video_id)
    timeline = [
        ("story.succeeded", None, 10),
        ("image.succeeded", 1, 15),
        ("image.retried", 2, 16),
        ("image.succeeded", 2, 22),
        ("clip.waiting", 1, 30),
        ("clip.succeeded", 1, 75),
        ("clip.succeeded", 2, 82),
        ("merge.succeeded", None, 84),
    ]
    with database.transaction() as cursor:
        cursor.execute("UPDATE runs SET step = 'story' WHERE run_id = %s", (run_id,))
        cursor.execute("UPDATE run_events SET at = now() - interval '85 s'")
        for kind, scene, second in timeline:
            runs.add_event(cursor, run_id, kind, scene)
            cursor.execute(
                "UPDATE run_events SET at = now() + (%s - 85) * interval '1 s' WHERE type = %s"
                " AND scene IS NOT DISTINCT FROM %s",
                (second, kind, scene),
            )
    event = {"action": "finish", "run_id": run_id, "video_id": video_id}
    assert finish(event)["status"] == "succeeded"
    output = capsys.readouterr().out
    assert emitted_metrics(output, "RunsEnded") == [({"outcome": "succeeded"}, (1.0,))]
    stage_seconds = {
        dimensions["stage"]: values
        for dimensions, values in emitted_metrics(output, "StageSeconds")
    }
    finish_seconds = stage_seconds.pop("finish")
    assert stage_seconds == {
        "story": (10.0,),
        "image": (5.0, 12.0),
        "clip": (60.0, 60.0),
        "merge": (2.0,),
    }
    assert 1 <= finish_seconds[0] < 30
    with pytest.raises(PermanentError, match="already ended"):
        finish(event)
    assert emitted_metrics(capsys.readouterr().out, "RunsEnded") == []


def test_fatal_error_of_a_step_is_counted_once(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    from common.application.pipeline_step import SceneEvent, step

    video_id, run_id = admit(database)
    insert_story(database, video_id)

    services: Any = SimpleNamespace(database=database)

    @step(Stage.IMAGE, SceneEvent, lambda: services)
    def failing_step(_event: SceneEvent) -> dict[str, Any]:
        raise PermanentError("No credit is left.", code="provider.credits")

    for scene in (1, 2):
        with pytest.raises(PermanentError):
            failing_step({"run_id": run_id, "video_id": video_id, "scene": scene}, LAMBDA)
    output = capsys.readouterr().out
    assert emitted_metrics(output, "RunsEnded") == [({"outcome": "failed"}, (1.0,))]
    assert emitted_metrics(output, "RunsFailed") == [({"code": "provider.credits"}, (1.0,))]


def test_possible_duplicate_is_counted(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = PaidCallHarness(database, *admit(database), may_resubmit=True)
    harness.provider.after = OutcomeUnknown("The connection broke.")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    assert emitted_metrics(capsys.readouterr().out, "PossibleDuplicates") == []
    harness.provider.after = None
    harness.run_step()
    assert harness.provider.accepted == 2
    assert emitted_metrics(capsys.readouterr().out, "PossibleDuplicates") == [({}, (1.0,))]


def insert_attempt(database: Database, provider: str, usd: str, hours_ago: float = 0) -> None:
    video_id, _ = admit(database)
    with database.transaction() as cursor:
        attempts.insert(
            cursor,
            Step(video_id, "clip", 1, 1),
            attempt=1,
            token=video_id,
            provider=provider,
            model="model",
            estimated_usd=Decimal(usd),
            lease_seconds=60,
            possible_duplicate=False,
        )
        cursor.execute(
            "UPDATE provider_jobs SET created_at = now() - %s * interval '1 hour' WHERE token = %s",
            (hours_ago, video_id),
        )


def test_sweep_reports_spend_by_provider_and_last_hour(
    database: Database, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    insert_attempt(database, "runway", "0.25")
    insert_attempt(database, "runway", "0.50")
    insert_attempt(database, "openai", "0.05")
    insert_attempt(database, "offline", "0")
    insert_attempt(database, "luma", "3", hours_ago=25)
    sweep({"older_than_seconds": 3600})
    output = capsys.readouterr().out
    assert emitted_metrics(output, "UsdToday") == [
        ({"provider": "openai"}, (0.05,)),
        ({"provider": "runway"}, (0.75,)),
    ]
    assert emitted_metrics(output, "UsdLastHour") == [({}, (0.8,))]


def test_idle_sweep_emits_no_metrics(
    database: Database, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep({})
    assert metrics(capsys.readouterr().out) == []


def test_run_ended_by_the_sweeper_is_counted(
    database: Database,
    sweep: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from common.aws import executions

    states = iter(["TIMED_OUT", "SUCCEEDED"])
    monkeypatch.setattr(executions, "status", lambda _machine, _run: next(states))
    for _ in range(2):
        _, run_id = admit(database)
        assert sweep({"detail": {"name": run_id}})["ended"] == 1
    output = capsys.readouterr().out
    assert emitted_metrics(output, "RunsEnded") == [
        ({"outcome": "failed"}, (1.0,)),
        ({"outcome": "succeeded"}, (1.0,)),
    ]
    assert emitted_metrics(output, "RunsFailed") == [({"code": "step.timeout"}, (1.0,))]
