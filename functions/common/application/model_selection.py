"""Which models make a video: those asked for, or the stage's own, held against what they can do."""

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
    settings: ProviderSettings, secrets: Mapping[str, str], caller: Caller, wish: CreateVideoRequest
) -> ModelSelection:
    """Return the models that make this video; raises InvalidInput for what they cannot do.

    A test key gets those that cost nothing, whatever it asks for; but what it asks for exists.
    """
    for kind in get_args(Kind):
        if (wished := getattr(wish.models, kind)) is not None:
            _find(kind, wished.provider, wished.model, secrets)
    if not caller.live:
        choice = models.offline(narrated=wish.output.narration is not None)
    else:
        choice = ModelSelection(
            _one("text", wish.models.text, settings, secrets),
            _one("image", wish.models.image, settings, secrets),
            _one("video", wish.models.video, settings, secrets),
            _one("speech", wish.models.speech, settings, secrets)
            if wish.output.narration
            else None,
        )
        _check_voice(choice, wish.output)
    _check_form(choice, wish.ratio, wish.seconds)
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
    """Return the video's models with others in their place; raises InvalidInput.

    Only those that are named are checked, for the others may have done their work already. A test
    key gets offline ones.
    """
    named = {kind: wish for kind in get_args(Kind) if (wish := getattr(models_, kind)) is not None}
    choice = models_of(video)
    if "speech" in named and choice.speech is None:
        raise InvalidInput("Nobody speaks in this video.", field="models.speech")
    for kind, wish in named.items():
        _find(kind, wish.provider, wish.model, secrets)
        model = _one(kind, wish, settings, secrets) if caller.live else models.find(kind, "offline")
        choice = replace(choice, **{kind: model})
    if caller.live and "speech" in named:
        _check_voice(choice, OutputSpec.model_validate(video.output))
    _check_form(choice, video.ratio, video.clip_seconds, named)
    return choice


def models_of(video: VideoRecord) -> ModelSelection:
    """Return the models that a video was begun with."""
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
    """Return the lengths of clips, in seconds, of the model that the caller gets by itself."""
    if not caller.live:
        return models.offline().video.seconds
    return _one("video", None, settings, secrets).seconds


def is_usable(model: Model, secrets: Mapping[str, str]) -> bool:
    """Say whether the model can be used here, with the keys of providers that are set."""
    here = not model.regions or aws_region() in model.regions
    has_key = not model.key or api_key_in(secrets, model.key) is not None
    return here and has_key and not _is_retired(model)


def _one(
    kind: Kind,
    wished: ModelChoice | None,
    settings: ProviderSettings,
    secrets: Mapping[str, str],
) -> Model:
    if wished:
        model = _find(kind, wished.provider, wished.model, secrets)
    else:
        model = _find(kind, _own(kind, settings, secrets), None, secrets)
    if not is_usable(model, secrets):
        why = f"needs the key {model.key}, which is not set" if model.key else "is not offered here"
        raise InvalidInput(
            f"{model.provider} {why}.",
            field=f"models.{kind}",
            allowed=_usable(kind, secrets),
            code="provider.key_missing" if model.key else "provider.not_here",
        )
    return model


def _own(kind: Kind, settings: ProviderSettings, secrets: Mapping[str, str]) -> str:
    """Return the stage's own provider; one by its key is looked for whenever a video is begun."""
    own: str = getattr(settings, f"{kind}_provider")
    return models.with_a_key(secrets).get(kind, "offline") if own == models.BY_KEY else own


def _find(kind: Kind, provider: str, name: str | None, secrets: Mapping[str, str]) -> Model:
    """Return a model that its provider has (still), whether or not it can be used here."""
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
    """Refuse a voice that the model does not have. A test key is given another one instead."""
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
    """Refuse models of these kinds that do not make the ratio or the length."""
    if "video" in kinds and seconds not in choice.video.seconds:
        allowed = list(choice.video.seconds)
        raise InvalidInput(
            f"{choice.video.model} makes clips of {', '.join(map(str, allowed))} seconds.",
            field="seconds",
            allowed=allowed,
        )
    for model in (choice.image, choice.video):
        if model.kind in kinds and ratio not in model.ratios:
            raise InvalidInput(
                f"{model.model} does not make the ratio {ratio}.",
                field="ratio",
                allowed=list(model.ratios),
            )
