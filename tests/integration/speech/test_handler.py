"""The function `speech` on a real database, against OpenAI's stand-in and its charge book."""

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
from common.settings import DatabaseSettings, GenerationSettings
from common.storage import MediaFolder
from speech.handler import handler
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import as_role
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import STORY, admit
from tests.support.vendors import VendorSession

# Powertools warns about every invocation without metrics.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

LAMBDA: Any = SimpleNamespace(
    function_name="speech", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
)
ENDPOINT = "chat.completions"
PROVIDERS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:providers-abc123"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def session(stand_in: StandIn) -> VendorSession:
    return VendorSession(stand_in)


@pytest.fixture
def store(
    stand_in: StandIn,
    migrated: DatabaseSettings,
    secret_store: SecretsManager,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[InMemoryMediaStore]:
    """A media store in memory, and the environment of the deployed function."""
    store = InMemoryMediaStore()
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": stand_in.api_key}
    for name, value in {
        **{
            key.upper(): str(value)
            for key, value in as_role(migrated, "speech").model_dump().items()
        },
        **dict.fromkeys(("TEXT_PROVIDER", "IMAGE_PROVIDER", "VIDEO_PROVIDER"), "offline"),
        "SPEECH_PROVIDER": "openai",
        "MEDIA_BUCKET": "media",
        "PROVIDERS_SECRET_ARN": PROVIDERS,
        "OPENAI_BASE_URL": stand_in.base_url,
    }.items():
        monkeypatch.setenv(name, value)
    runtime.reset()
    runtime.provide(GenerationSettings, store=store)
    yield store
    runtime.reset()


@pytest.fixture
def ids(database: Database) -> dict[str, str]:
    """Return the ids of a narrated video that has its story."""
    video_id, run_id = admit(
        database,
        output={"narration": {"voice": "coral"}},
        speech_provider="openai",
        speech_model="gpt-audio-1.5",
    )
    narrated = tuple(replace(scene, narration=f"Part {scene.number}.") for scene in STORY.scenes)
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, replace(STORY, scenes=narrated), "Cinematic", "Calm")
    return {"run_id": run_id, "video_id": video_id}


def speak(ids: dict[str, str], scene: int = 2) -> dict[str, Any]:
    return handler({**ids, "scene": scene}, LAMBDA)


def narration_row(database: Database, ids: dict[str, str]) -> narrations.Narration:
    with database.transaction() as cursor:
        return narrations.of_scene(cursor, ids["video_id"], 2)


def charged_usd(session: VendorSession) -> Decimal:
    """Return the total of the vendor's charge book, each call rounded as PostgreSQL stores it."""
    cent = Decimal("0.000001")
    amounts = (charge.amount.quantize(cent, rounding=ROUND_HALF_UP) for charge in session.charges())
    return sum(amounts, Decimal(0))


def test_narration_is_synthesized_once_stored_and_charged(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str], session: VendorSession
) -> None:
    result = {"status": "succeeded", "scene": 2, "provider": "openai", "model": "gpt-audio-1.5"}
    assert speak(ids) == result
    assert speak(ids) == result  # a repeated invocation
    assert session.calls(ENDPOINT) == 1
    narration = narration_row(database, ids)
    assert (narration.status, narration.text) == ("succeeded", "Part 2.")
    key = MediaFolder("alice", ids["video_id"]).narration(2, 1)
    assert narration.audio_key == key
    assert read_wav(store.get(key)).seconds == pytest.approx(
        float(narration.seconds or 0), abs=0.001
    )
    with database.transaction() as cursor:
        (charge,) = attempts.by_step(cursor, ids["video_id"])
    assert (charge.kind, charge.scene, charge.charged_usd) == ("speech", 2, narration.cost_usd)
    assert narration.cost_usd == charged_usd(session)


def test_substituted_voice_has_a_warning(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str]
) -> None:
    with database.transaction() as cursor:
        cursor.execute("""UPDATE video_sessions SET output = '{"narration": {"voice": "bob"}}'""")
    speak(ids)
    speak(ids)
    (warning,) = narration_row(database, ids).warnings
    assert "bob" in warning


@pytest.mark.parametrize(
    ("text", "warning_count"), [("It sails.", 0), ("The boat sails on. " * 7, 1)]
)
def test_accelerated_offline_voice_has_a_warning(
    text: str,
    warning_count: int,
    store: InMemoryMediaStore,
    database: Database,
    ids: dict[str, str],
) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            """UPDATE video_sessions SET output = '{"narration": {}}',
               speech_provider = 'offline', speech_model = 'espeak-ng-1'"""
        )
        cursor.execute("UPDATE video_narrations SET text = %s", (text,))
    speak(ids)
    warnings = narration_row(database, ids).warnings
    assert len(warnings) == warning_count
    assert all(warning.startswith("Scene 2: the voice speaks ") for warning in warnings)


def test_worker_resumes_from_its_receipt(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str], session: VendorSession
) -> None:
    speak(ids)
    with database.transaction() as cursor:  # as if the result had not been recorded
        cursor.execute("UPDATE video_narrations SET status = 'running', audio_key = NULL")
        cursor.execute(
            "UPDATE provider_jobs SET state = 'submitting', lease_until = now() - interval '1 s'"
        )
    speak(ids)
    assert narration_row(database, ids).status == "succeeded"
    assert session.calls(ENDPOINT) == 1


def test_unknown_outcome_is_never_paid_twice(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str], session: VendorSession
) -> None:
    session.vendor.fault(ENDPOINT, "charge_then_reset")
    for _ in range(2):
        with pytest.raises(PermanentError) as caught:
            speak(ids)
        assert caught.value.error_code == "provider.outcome_unknown"
    assert session.calls(ENDPOINT) == 1
    narration = narration_row(database, ids)
    assert narration.status == "failed"
    assert narration.error
    assert (narration.error["stage"], narration.error["scene"]) == ("speech", 2)


def test_busy_provider_leads_to_waiting_and_retry(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str], session: VendorSession
) -> None:
    session.vendor.fault(ENDPOINT, "429")
    result = speak(ids)
    assert (result["status"], result["wait_seconds"] > 0) == ("waiting", True)
    assert narration_row(database, ids).status == "running"
    speak(ids)
    assert len(session.charges()) == 1


def test_unusable_speech_is_billed_and_allows_retry(
    store: InMemoryMediaStore, database: Database, ids: dict[str, str], session: VendorSession
) -> None:
    session.vendor.fault(ENDPOINT, "paraphrase")
    with pytest.raises(PermanentError) as caught:
        speak(ids)
    assert caught.value.error_code == "speech.not_the_text"
    narration = narration_row(database, ids)
    assert narration.error
    assert (narration.error["retryable"], narration.error["billed"]) == (True, True)
    speak(ids)  # by a resumed run
    with database.transaction() as cursor:
        (charge,) = attempts.by_step(cursor, ids["video_id"])
    assert charge.charged_usd == charged_usd(session)


def test_scene_without_narration_is_skipped(
    store: InMemoryMediaStore, ids: dict[str, str], session: VendorSession
) -> None:
    assert speak(ids, scene=9)["status"] == "succeeded"
    assert session.charges() == []
