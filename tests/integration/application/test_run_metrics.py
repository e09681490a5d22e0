"""Business metrics of real use cases on a real database, as CloudWatch reads them in the log."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, attempts, runs
from common.database.attempts import Step
from common.domain.errors import OutcomeUnknown, PermanentError
from common.domain.video import Stage
from common.settings import DatabaseSettings
from tests.integration.billing.test_paid_calls import Bench
from tests.support.emf import metrics
from tests.support.fixtures import as_role
from tests.support.gateway import Context, Gateway, quietly
from tests.support.rows import admit, tell

WISH = {"prompt": "A paper boat", "scenes": 3, "seconds": 5}
LAMBDA: Any = Context()


def told(printed: str, name: str) -> list[tuple[dict[str, str], tuple[float, ...]]]:
    """Dimensions and values of each metric of the name; the service is always the same."""
    found = [(dict(metric.dimensions), metric.values) for metric in metrics(printed, name)]
    assert all(dimensions.pop("service") == "runs" for dimensions, _ in found)
    return found


@pytest.fixture
def finish(migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The function `finish` under its own role."""
    from finish import handler as function  # late: Powertools reads its settings at import

    for name, value in as_role(migrated, "finish").model_dump(by_alias=True, mode="json").items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MEDIA_BUCKET", "media")
    kept = (function.settings, function.database, function.store)
    for one in kept:
        one.cache_clear()
    yield lambda event: quietly(function.handler, event, LAMBDA)
    function.database().close()
    for one in kept:
        one.cache_clear()


def test_a_canceled_run_is_counted_once(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    for _ in range(2):
        assert gateway.call("POST", made["links"]["cancel"]).status == 200
    printed = capsys.readouterr().out
    assert told(printed, "RunsEnded") == [({"outcome": "canceled"}, (1.0,))]
    assert told(printed, "RunsFailed") == []


def test_a_failed_run_is_counted_by_its_code(
    database: Database, finish: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        runs.add_event(
            cursor, run_id, "image.failed", 1, {"code": "safety.input", "detail": "Declined."}
        )
    event = {"action": "fail", "run_id": run_id, "video_id": video_id, "error": "PermanentError"}
    assert [finish(event), finish(event)] == [{"recorded": True}, {"recorded": False}]
    printed = capsys.readouterr().out
    assert told(printed, "RunsEnded") == [({"outcome": "failed"}, (1.0,))]
    assert told(printed, "RunsFailed") == [({"code": "safety.input"}, (1.0,))]


def test_a_finished_run_says_how_long_its_stages_took(
    database: Database, finish: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video_id, run_id = admit(database)
    tell(database, video_id)
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
    printed = capsys.readouterr().out
    assert told(printed, "RunsEnded") == [({"outcome": "succeeded"}, (1.0,))]
    took = {found["stage"]: values for found, values in told(printed, "StageSeconds")}
    last = took.pop("finish")
    assert took == {
        "story": (10.0,),
        "image": (5.0, 12.0),
        "clip": (60.0, 60.0),
        "merge": (2.0,),
    }
    assert 1 <= last[0] < 30
    with pytest.raises(PermanentError, match="ended already"):
        finish(event)
    assert told(capsys.readouterr().out, "RunsEnded") == []


def test_a_run_that_no_other_can_get_past_is_counted_by_the_step_that_met_it(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    from common.application.pipeline_step import SceneEvent, step

    video_id, run_id = admit(database)
    tell(database, video_id)

    @step(Stage.IMAGE, SceneEvent, lambda: database)
    def broke(_event: SceneEvent) -> dict[str, Any]:
        raise PermanentError("No credit is left.", code="provider.credits")

    for scene in (1, 2):
        with pytest.raises(PermanentError):
            broke({"run_id": run_id, "video_id": video_id, "scene": scene}, LAMBDA)
    printed = capsys.readouterr().out
    assert told(printed, "RunsEnded") == [({"outcome": "failed"}, (1.0,))]
    assert told(printed, "RunsFailed") == [({"code": "provider.credits"}, (1.0,))]


def test_a_call_that_is_made_again_in_doubt_is_counted(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(database, *admit(database), may_resubmit=True)
    bench.book.after = OutcomeUnknown("The connection broke.")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    assert told(capsys.readouterr().out, "PossibleDuplicates") == []
    bench.book.after = None
    bench.work()
    assert bench.book.accepted == 2
    assert told(capsys.readouterr().out, "PossibleDuplicates") == [({}, (1.0,))]


def pay(database: Database, provider: str, usd: str, hours_ago: float = 0) -> None:
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


def test_a_sweep_says_what_was_spent_by_provider_and_in_the_last_hour(
    database: Database, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pay(database, "runway", "0.25")
    pay(database, "runway", "0.50")
    pay(database, "openai", "0.05")
    pay(database, "offline", "0")
    pay(database, "luma", "3", hours_ago=25)
    sweep({"older_than_seconds": 3600})
    printed = capsys.readouterr().out
    assert told(printed, "UsdToday") == [
        ({"provider": "openai"}, (0.05,)),
        ({"provider": "runway"}, (0.75,)),
    ]
    assert told(printed, "UsdLastHour") == [({}, (0.8,))]


def test_an_idle_sweep_writes_no_metric(
    database: Database, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep({})
    assert metrics(capsys.readouterr().out) == []


def test_a_run_that_the_sweeper_ends_is_counted(
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
    printed = capsys.readouterr().out
    assert told(printed, "RunsEnded") == [
        ({"outcome": "failed"}, (1.0,)),
        ({"outcome": "succeeded"}, (1.0,)),
    ]
    assert told(printed, "RunsFailed") == [({"code": "step.timeout"}, (1.0,))]
