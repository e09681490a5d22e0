"""State SpeakNarration: what is told in a scene becomes sound."""

from typing import Any

from common import providers
from common.application.billing import paid_calls
from common.application.billing.paid_calls import CallResult
from common.application.pipeline_step import SceneEvent, step
from common.database import Cursor, attempts, narrations, runs, videos
from common.database.attempts import Attempt, Step
from common.database.narrations import Narration
from common.database.videos import Video
from common.domain import models
from common.domain.errors import PermanentError
from common.domain.models import Model
from common.domain.narration import NOTICED
from common.domain.styles import mood
from common.domain.video import Cost, Stage
from common.providers import SpeechRequest
from common.runtime import charge, context, database, folder, ledger, store
from common.schemas.output import OutputSpec

_VERSION = 1
# The state gives up after 120 s, the function before it.
_LEASE_SECONDS = 120


@step(Stage.SPEECH, SceneEvent, database, submits=True)
def handler(event: SceneEvent) -> dict[str, Any]:
    """Speak the scene's narration once; a repeated run gets the one that is there."""
    with database().transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        # A scene that was added after the story has none.
        narration = narrations.of_video(cursor, event.video_id).get(event.scene)
        narrations.start(cursor, event.video_id, event.scene)
    if narration is not None and narration.status != "succeeded":
        _speak(event, video, narration)
    return {
        "status": "succeeded",
        "scene": event.scene,
        "provider": video.speech_provider,
        "model": video.speech_model,
    }


def _speak(event: SceneEvent, video: Video, narration: Narration) -> None:
    provider = video.speech_provider
    wished = OutputSpec.model_validate(video.output).narration
    if provider is None or wished is None:
        raise PermanentError("The video has no voice.", code="speech.no_voice")
    speaker = providers.speech_provider(provider, context())
    model = models.find("speech", provider, video.speech_model)
    key = folder(video).narration(event.scene, _VERSION)
    request = SpeechRequest(
        text=narration.text,
        seconds=video.clip_seconds,
        mood=mood(video.mood),
        model=model.model,
        voice=wished.voice if wished.voice in model.voices else None,
        language=wished.language,
    )

    def make(_token: str) -> CallResult:
        result = speaker.synthesize(request)
        data = result.sound.as_wav()
        paid_calls.store_paid_media(lambda: store().put(key, data, "audio/wav"), result.cost)
        return {
            "cost": result.cost.as_json(),
            "seconds": result.sound.seconds,
            "warnings": [
                *_another_voice(model, wished.voice),
                *result.warnings,
                *_hurried(event.scene, result.pace),
            ],
        }

    def record(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        cost = Cost.from_json(facts["cost"])
        attempts.mark_succeeded(cursor, attempt, cost)
        narrations.finish(
            cursor,
            event.video_id,
            event.scene,
            key=key,
            seconds=facts["seconds"],
            usd=cost.usd,
            # Facts of an earlier release have none.
            warnings=facts.get("warnings", ()),
        )
        runs.add_event(cursor, event.run_id, "speech.succeeded", event.scene)

    usd = model.narration_usd(video.clip_seconds)
    paid_for = Step(event.video_id, "speech", event.scene, _VERSION)
    ledger().execute(
        charge(event.run_id, video, paid_for, model, usd, _LEASE_SECONDS), make, record
    )


def _another_voice(model: Model, voice: str | None) -> list[str]:
    """Say that the model has another voice than requested, as that of a test key may."""
    if voice is None or voice in model.voices:
        return []
    return [f"The narration is not spoken by {voice}, which {model.model} does not have."]


def _hurried(scene: int, pace: float) -> list[str]:
    """Say that the voice spoke noticeably faster than it usually does."""
    if pace <= NOTICED:
        return []
    return [f"Scene {scene}: the voice speaks {pace:.1f} times as fast as usual, to fit into it."]
