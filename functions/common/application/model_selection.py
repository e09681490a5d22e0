"""The selection of a video's models: requested ones, or the defaults of the deployment stage."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import get_args

from common.aws.log import logger
from common.database.videos import VideoRecord
from common.domain import models
from common.domain.caller import Caller
from common.domain.errors import InvalidInput
from common.domain.models import Kind, Model, ModelSelection, api_key_in
from common.schemas.output import OutputSpec
from common.schemas.requests import CreateVideoRequest, ModelChoice, ModelChoices
from common.settings import ProviderSettings, aws_region


def select_models(
    settings: ProviderSettings,
    secrets: Mapping[str, str],
    caller: Caller,
    request: CreateVideoRequest,
) -> ModelSelection:
    """Return the models for the request; raises InvalidInput if they do not support it.

    A test key always gets the free offline models, but the models that it requests must exist.
    """
    for kind in get_args(Kind):
        if (requested := getattr(request.models, kind)) is not None:
            _find(kind, requested.provider, requested.model, secrets)
    if not caller.live:
        choice = models.offline(narrated=request.output.narration is not None)
    else:
        choice = ModelSelection(
            _select("text", request.models.text, settings, secrets),
            _select("image", request.models.image, settings, secrets),
            _select("video", request.models.video, settings, secrets),
            _select("speech", request.models.speech, settings, secrets)
            if request.output.narration
            else None,
        )
        _check_voice(choice, request.output)
    _check_form(choice, request.ratio, request.seconds)
    for model in choice.ending(_today()):
        facts = {"provider": model.provider, "model": model.model, "shutdown": model.shutdown}
        logger.warning("model ends soon", extra=facts)
    return choice


def change_models(
    settings: ProviderSettings,
    secrets: Mapping[str, str],
    caller: Caller,
    video: VideoRecord,
    models_: ModelChoices,
) -> ModelSelection:
    """Return the video's models with the changes applied; raises InvalidInput.

    Only the changed models are checked, because the others may have finished their work. A test
    key gets offline models.
    """
    changes = {
        kind: change for kind in get_args(Kind) if (change := getattr(models_, kind)) is not None
    }
    choice = models_of(video)
    if "speech" in changes and choice.speech is None:
        raise InvalidInput("The video has no narration.", field="models.speech")
    for kind, change in changes.items():
        _find(kind, change.provider, change.model, secrets)
        if caller.live:
            model = _select(kind, change, settings, secrets)
        else:
            model = models.find(kind, "offline")
        choice = replace(choice, **{kind: model})
    if caller.live and "speech" in changes:
        _check_voice(choice, OutputSpec.model_validate(video.output))
    _check_form(choice, video.ratio, video.clip_seconds, changes)
    return choice


def models_of(video: VideoRecord) -> ModelSelection:
    """Return the models that are stored with a video."""
    return ModelSelection(
        models.find("text", video.text_provider, video.text_model),
        models.find("image", video.image_provider, video.image_model),
        models.find("video", video.video_provider, video.video_model),
        models.find("speech", video.speech_provider, video.speech_model)
        if video.speech_provider
        else None,
    )


def clip_durations(
    settings: ProviderSettings, secrets: Mapping[str, str], caller: Caller
) -> tuple[int, ...]:
    """Return the clip durations, in seconds, of the caller's default video model."""
    if not caller.live:
        return models.offline().video.seconds
    return _select("video", None, settings, secrets).seconds


def is_usable(model: Model, secrets: Mapping[str, str]) -> bool:
    """Return whether the model is available in this region, has its key, and is not retired."""
    in_region = not model.regions or aws_region() in model.regions
    has_key = not model.key or api_key_in(secrets, model.key) is not None
    return in_region and has_key and not _is_retired(model)


def _select(
    kind: Kind,
    requested: ModelChoice | None,
    settings: ProviderSettings,
    secrets: Mapping[str, str],
) -> Model:
    if requested:
        model = _find(kind, requested.provider, requested.model, secrets)
    else:
        model = _find(kind, _default_provider(kind, settings, secrets), None, secrets)
    if not is_usable(model, secrets):
        reason = (
            f"needs the key {model.key}, which is not set"
            if model.key
            else "is not available in this region"
        )
        raise InvalidInput(
            f"{model.provider} {reason}.",
            field=f"models.{kind}",
            allowed=_usable(kind, secrets),
            code="provider.key_missing" if model.key else "provider.not_here",
        )
    return model


def _default_provider(kind: Kind, settings: ProviderSettings, secrets: Mapping[str, str]) -> str:
    """Return the stage's default provider.

    If the stage selects providers by their keys, the keys of this moment decide.
    """
    provider: str = getattr(settings, f"{kind}_provider")
    if provider == models.BY_KEY:
        return models.paid_providers(secrets).get(kind, "offline")
    return provider


def _find(kind: Kind, provider: str, name: str | None, secrets: Mapping[str, str]) -> Model:
    """Return a model that exists and is not retired, even if it cannot be used here."""
    try:
        model = models.find(kind, provider, name)
    except InvalidInput as error:
        raise InvalidInput(error.detail, field=f"models.{kind}", allowed=error.allowed) from None
    if _is_retired(model):
        raise InvalidInput(
            f"{model.model} was shut down by its provider on {model.shutdown}.",
            field=f"models.{kind}",
            allowed=_usable(kind, secrets),
            code="provider.model_retired",
        )
    return model


def _usable(kind: Kind, secrets: Mapping[str, str]) -> list[str]:
    return [
        f"{model.provider}/{model.model}"
        for model in models.models()
        if model.kind == kind and is_usable(model, secrets)
    ]


def _is_retired(model: Model) -> bool:
    days = model.days_left(_today())
    return days is not None and days <= 0


def _today() -> date:
    return datetime.now(UTC).date()


def _check_voice(choice: ModelSelection, output: OutputSpec) -> None:
    """Raise InvalidInput if the model does not have the voice.

    Not called for test keys, which get another voice instead.
    """
    voice = output.narration.voice if output.narration else None
    if choice.speech and voice is not None and voice not in choice.speech.voices:
        raise InvalidInput(
            f"{choice.speech.model} has no voice '{voice}'.",
            field="output.narration.voice",
            allowed=list(choice.speech.voices),
        )


def _check_form(
    choice: ModelSelection, ratio: str, seconds: int, kinds: Collection[str] = get_args(Kind)
) -> None:
    """Raise InvalidInput if a model of these kinds does not support the ratio or the duration."""
    if "video" in kinds and seconds not in choice.video.seconds:
        allowed = list(choice.video.seconds)
        raise InvalidInput(
            f"{choice.video.model} supports clips of {', '.join(map(str, allowed))} seconds.",
            field="seconds",
            allowed=allowed,
        )
    for model in (choice.image, choice.video):
        if model.kind in kinds and ratio not in model.ratios:
            raise InvalidInput(
                f"{model.model} does not support the ratio {ratio}.",
                field="ratio",
                allowed=list(model.ratios),
            )
