"""Lambda function `speech`: the state SpeakNarration, which synthesizes a scene's narration."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from common import providers
from common.application.billing.paid_calls import CallResult, store_paid_media
from common.application.generation import (
    GenerationStep,
    media_folder,
    provider_context,
    services,
)
from common.application.pipeline_step import SceneEvent, step
from common.database import Cursor, attempts, narrations, runs, videos
from common.database.attempts import Attempt, Step
from common.database.narrations import Narration
from common.domain import models
from common.domain.errors import PermanentError
from common.domain.models import Model
from common.domain.narration import NOTICEABLE_PACE
from common.domain.styles import mood
from common.domain.video import Cost, Stage
from common.providers import SpeechProvider, SpeechRequest
from common.schemas.output import NarrationSpec, OutputSpec

_VERSION = 1


@step(Stage.SPEECH, SceneEvent, services, submits=True)
def handler(event: SceneEvent) -> dict[str, Any]:
    """Synthesize the scene's narration; idempotent, existing speech is kept."""
    with services().database.transaction() as cursor:
        runs.require_open(cursor, event.run_id)
        video = videos.get(cursor, event.video_id)
        # A scene that was added after the story has no narration.
        narration = narrations.of_video(cursor, event.video_id).get(event.scene)
        narrations.start(cursor, event.video_id, event.scene)
    if narration is not None and narration.status != "succeeded":
        SpeakNarration(event, video, narration).execute()
    return {
        "status": "succeeded",
        "scene": event.scene,
        "provider": video.speech_provider,
        "model": video.speech_model,
    }


@dataclass(frozen=True)
class SpeakNarration(GenerationStep[SceneEvent]):
    """The speech synthesis of a scene's narration."""

    narration: Narration

    lease_seconds = 120  # the timeout of the state; the function times out earlier

    @property
    def step(self) -> Step:
        return Step(self.event.video_id, "speech", self.event.scene, _VERSION)

    @cached_property
    def model(self) -> Model:
        return models.find("speech", self._provider_name, self.video.speech_model)

    @property
    def usd(self) -> Decimal:
        return self.model.narration_usd(self.video.clip_seconds)

    @property
    def key(self) -> str:
        """The key of the audio in the media store."""
        return media_folder(self.video).narration(self.event.scene, _VERSION)

    @cached_property
    def provider(self) -> SpeechProvider:
        return providers.speech_provider(self._provider_name, provider_context())

    @cached_property
    def request(self) -> SpeechRequest:
        voice = self._spec.voice
        return SpeechRequest(
            text=self.narration.text,
            seconds=self.video.clip_seconds,
            mood=mood(self.video.mood),
            model=self.model.model,
            voice=voice if voice in self.model.voices else None,
            language=self._spec.language,
        )

    @property
    def _provider_name(self) -> str:
        if self.video.speech_provider is None:
            raise _no_voice()
        return self.video.speech_provider

    @cached_property
    def _spec(self) -> NarrationSpec:
        spec = OutputSpec.model_validate(self.video.output).narration
        if spec is None:
            raise _no_voice()
        return spec

    def perform(self, token: str) -> CallResult:
        result = self.provider.synthesize(self.request)
        data = result.sound.as_wav()
        store = services().store
        store_paid_media(lambda: store.put(self.key, data, "audio/wav"), result.cost)
        return {
            "cost": result.cost.as_json(),
            "seconds": result.sound.seconds,
            "warnings": [
                *_voice_warnings(self.model, self._spec.voice),
                *result.warnings,
                *_pace_warnings(self.event.scene, result.pace),
            ],
        }

    def record(self, cursor: Cursor, attempt: Attempt, result: CallResult) -> None:
        cost = Cost.from_json(result["cost"])
        attempts.mark_succeeded(cursor, attempt, cost)
        narrations.finish(
            cursor,
            self.event.video_id,
            self.event.scene,
            key=self.key,
            seconds=result["seconds"],
            usd=cost.usd,
            warnings=result.get("warnings", ()),  # missing in receipts of earlier releases
        )
        runs.add_event(cursor, self.event.run_id, "speech.succeeded", self.event.scene)


def _no_voice() -> PermanentError:
    return PermanentError("The video has no speech model.", code="speech.no_voice")


def _voice_warnings(model: Model, voice: str | None) -> list[str]:
    """Return a warning if the model lacks the requested voice, like the model of test keys."""
    if voice is None or voice in model.voices:
        return []
    return [f"The narration uses another voice, because {model.model} does not have {voice}."]


def _pace_warnings(scene: int, pace: float) -> list[str]:
    """Return a warning if the voice speaks noticeably faster than usual."""
    if pace <= NOTICEABLE_PACE:
        return []
    return [
        f"Scene {scene}: the voice speaks {pace:.1f} times as fast as usual, to fit in the scene."
    ]
