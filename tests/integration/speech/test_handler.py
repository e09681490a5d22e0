"""State SpeakNarration on a real database, against OpenAI's stand-in and its book."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from common import runtime
from common.database import Database, attempts, narrations, scenes
from common.domain.errors import PermanentError
from common.media.wav import read_wav
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from speech.handler import handler
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import as_role
from tests.support.rows import STORY, admit
from tests.support.vendors import Shelf, Visit

# Powertools says so of every call that counts nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

LAMBDA: Any = SimpleNamespace(
    function_name="speech", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
)
ENDPOINT = "chat.completions"
PROVIDERS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:providers-abc123"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn) -> Visit:
    return Visit(running)


@pytest.fixture
def shelf(
    running: StandIn,
    migrated: DatabaseSettings,
    secret_store: SecretsManager,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shelf]:
    """The media store; around it the environment that the function is deployed with."""
    shelf = Shelf()
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": running.api_key}
    for name, value in {
        **{
            key.upper(): str(value)
            for key, value in as_role(migrated, "speech").model_dump().items()
        },
        **dict.fromkeys(("TEXT_PROVIDER", "IMAGE_PROVIDER", "VIDEO_PROVIDER"), "offline"),
        "SPEECH_PROVIDER": "openai",
        "MEDIA_BUCKET": "media",
        "PROVIDERS_SECRET_ARN": PROVIDERS,
        "OPENAI_BASE_URL": running.base_url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime, "S3MediaStore", lambda _bucket: shelf)
    made = (runtime.settings, runtime.database, runtime.store, runtime.ledger)
    for one in made:
        one.cache_clear()
    yield shelf
    runtime.database().close()
    for one in made:
        one.cache_clear()


@pytest.fixture
def ids(database: Database) -> dict[str, str]:
    """A narrated video whose story is told."""
    video_id, run_id = admit(
        database,
        output={"narration": {"voice": "coral"}},
        speech_provider="openai",
        speech_model="gpt-audio-1.5",
    )
    told = tuple(replace(scene, narration=f"Part {scene.number}.") for scene in STORY.scenes)
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, replace(STORY, scenes=told), "Cinematic", "Calm")
    return {"run_id": run_id, "video_id": video_id}


def speak(ids: dict[str, str], scene: int = 2) -> dict[str, Any]:
    return handler({**ids, "scene": scene}, LAMBDA)


def spoken(database: Database, ids: dict[str, str]) -> narrations.Narration:
    with database.transaction() as cursor:
        return narrations.of_scene(cursor, ids["video_id"], 2)


def billed(visit: Visit) -> Decimal:
    """What the vendor's book has, each call rounded as PostgreSQL keeps it."""
    cent = Decimal("0.000001")
    amounts = (charge.amount.quantize(cent, rounding=ROUND_HALF_UP) for charge in visit.charges())
    return sum(amounts, Decimal(0))


def test_a_narration_is_spoken_once_kept_and_billed(
    shelf: Shelf, database: Database, ids: dict[str, str], visit: Visit
) -> None:
    said = {"status": "succeeded", "scene": 2, "provider": "openai", "model": "gpt-audio-1.5"}
    assert speak(ids) == said
    assert speak(ids) == said  # a repeated run
    assert visit.calls(ENDPOINT) == 1
    row = spoken(database, ids)
    assert (row.status, row.text) == ("succeeded", "Part 2.")
    key = MediaFolder("alice", ids["video_id"]).narration(2, 1)
    assert row.audio_key == key
    assert read_wav(shelf.get(key)).seconds == pytest.approx(float(row.seconds or 0), abs=0.001)
    with database.transaction() as cursor:
        (charge,) = attempts.by_step(cursor, ids["video_id"])
    assert (charge.kind, charge.scene, charge.charged_usd) == ("speech", 2, row.cost_usd)
    assert row.cost_usd == billed(visit)


def test_another_voice_than_requested_is_told(
    shelf: Shelf, database: Database, ids: dict[str, str]
) -> None:
    with database.transaction() as cursor:
        cursor.execute("""UPDATE video_sessions SET output = '{"narration": {"voice": "bob"}}'""")
    speak(ids)
    speak(ids)
    (warning,) = spoken(database, ids).warnings
    assert "bob" in warning


@pytest.mark.parametrize(("words", "told"), [("It sails.", 0), ("The boat sails on. " * 7, 1)])
def test_an_offline_voice_that_hurries_is_told(
    words: str, told: int, shelf: Shelf, database: Database, ids: dict[str, str]
) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            """UPDATE video_sessions SET output = '{"narration": {}}',
               speech_provider = 'offline', speech_model = 'espeak-ng-1'"""
        )
        cursor.execute("UPDATE video_narrations SET text = %s", (words,))
    speak(ids)
    found = spoken(database, ids).warnings
    assert len(found) == told
    assert all(one.startswith("Scene 2: the voice speaks ") for one in found)


def test_a_worker_that_lost_the_database_goes_on_from_its_receipt(
    shelf: Shelf, database: Database, ids: dict[str, str], visit: Visit
) -> None:
    speak(ids)
    with database.transaction() as cursor:  # as if the result had never been recorded
        cursor.execute("UPDATE video_narrations SET status = 'running', audio_key = NULL")
        cursor.execute(
            "UPDATE provider_jobs SET state = 'submitting', lease_until = now() - interval '1 s'"
        )
    speak(ids)
    assert spoken(database, ids).status == "succeeded"
    assert visit.calls(ENDPOINT) == 1


def test_an_unknown_outcome_is_not_paid_for_again(
    shelf: Shelf, database: Database, ids: dict[str, str], visit: Visit
) -> None:
    visit.vendor.fault(ENDPOINT, "charge_then_reset")
    for _ in range(2):
        with pytest.raises(PermanentError) as caught:
            speak(ids)
        assert caught.value.error_code == "provider.outcome_unknown"
    assert visit.calls(ENDPOINT) == 1
    row = spoken(database, ids)
    assert row.status == "failed"
    assert row.error
    assert (row.error["stage"], row.error["scene"]) == ("speech", 2)


def test_a_busy_provider_is_waited_for_and_fails_nothing(
    shelf: Shelf, database: Database, ids: dict[str, str], visit: Visit
) -> None:
    visit.vendor.fault(ENDPOINT, "429")
    told = speak(ids)
    assert (told["status"], told["wait_seconds"] > 0) == ("waiting", True)
    assert spoken(database, ids).status == "running"
    speak(ids)
    assert len(visit.charges()) == 1


def test_a_voice_that_cannot_be_used_is_paid_and_may_be_tried_again(
    shelf: Shelf, database: Database, ids: dict[str, str], visit: Visit
) -> None:
    visit.vendor.fault(ENDPOINT, "paraphrase")
    with pytest.raises(PermanentError) as caught:
        speak(ids)
    assert caught.value.error_code == "speech.not_the_text"
    row = spoken(database, ids)
    assert row.error
    assert (row.error["retryable"], row.error["billed"]) == (True, True)
    speak(ids)  # of a resumed run
    with database.transaction() as cursor:
        (charge,) = attempts.by_step(cursor, ids["video_id"])
    assert charge.charged_usd == billed(visit)


def test_a_scene_that_was_added_without_narration_is_passed_over(
    shelf: Shelf, ids: dict[str, str], visit: Visit
) -> None:
    assert speak(ids, scene=9)["status"] == "succeeded"
    assert visit.charges() == []
