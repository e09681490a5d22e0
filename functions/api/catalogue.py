"""Which models there are, which a request takes, and what that would cost."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from api.caller import Caller
from api.present import money, origin
from api.schemas.models import Estimate, ModelList, ModelObject, SceneEstimate
from api.schemas.videos import CreateVideo, ModelChoice
from common.errors import InvalidInput
from common.providers import models
from common.providers.models import Choice, Kind, Model
from common.settings import ApiSettings, aws_region

_PRICES = (
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "usd_per_million_image_input_tokens",
    "units_per_second",
    "usd_per_unit",
)
_LIMITS = ("prompt_characters", "prompt_utf16_units")


def listing(settings: ApiSettings, secrets: Mapping[str, str]) -> ModelList:
    """Return every model, and whether the keys that are set let it be used."""
    own = {
        "text": settings.text_provider,
        "image": settings.image_provider,
        "video": settings.video_provider,
    }
    return ModelList(
        data=[
            ModelObject(
                kind=model.kind,
                provider=model.provider,
                model=model.model,
                label=model.label,
                default=model.default,
                usable=_is_usable(model, secrets),
                chosen=model.default and own[model.kind] == model.provider,
                ratios=list(model.ratios),
                seconds=list(model.seconds),
                limits={name: value for name in _LIMITS if (value := getattr(model, name))},
                price={name: str(value) for name in _PRICES if (value := getattr(model, name))},
                shutdown=date.fromisoformat(model.shutdown) if model.shutdown else None,
            )
            for model in models.models()
        ]
    )


def choose(
    settings: ApiSettings, secrets: Mapping[str, str], caller: Caller, wish: CreateVideo
) -> Choice:
    """Return the models that make this video; raises InvalidInput for what they cannot do.

    A test key gets those that cost nothing, whatever it asks for.
    """
    if not caller.live:
        choice = models.offline()
    else:
        choice = Choice(
            _one("text", wish.models.text, settings.text_provider, secrets),
            _one("image", wish.models.image, settings.image_provider, secrets),
            _one("video", wish.models.video, settings.video_provider, secrets),
        )
    _check(choice, wish)
    return choice


def estimate(choice: Choice, wish: CreateVideo) -> Estimate:
    """Return what the video would cost, by step and scene."""
    reference = wish.image is not None
    return Estimate(
        total=money(
            choice.estimate_usd(
                scenes=wish.scenes, seconds=wish.seconds, ratio=wish.ratio, reference=reference
            )
        ),
        story=money(choice.text.story_usd(wish.scenes)),
        scenes=[
            SceneEstimate(
                scene=scene,
                image=money(choice.picture_usd(scene, wish.ratio, reference)),
                clip=money(choice.video.clip_usd(wish.seconds)),
            )
            for scene in range(1, wish.scenes + 1)
        ],
        models={model.kind: origin(model) for model in (choice.text, choice.image, choice.video)},
    )


def _one(kind: Kind, wished: ModelChoice | None, own: str, secrets: Mapping[str, str]) -> Model:
    try:
        model = models.find(kind, *((wished.provider, wished.model) if wished else (own,)))
    except InvalidInput as error:
        raise InvalidInput(error.detail, field=f"models.{kind}", allowed=error.allowed) from None
    usable = [
        f"{m.provider}/{m.model}"
        for m in models.models()
        if m.kind == kind and _is_usable(m, secrets)
    ]
    if _is_retired(model):
        raise InvalidInput(
            f"{model.model} was shut down by its provider on {model.shutdown}.",
            field=f"models.{kind}",
            allowed=usable,
            code="provider.model_retired",
        )
    if not _is_usable(model, secrets):
        why = f"needs the key {model.key}, which is not set" if model.key else "is not offered here"
        raise InvalidInput(
            f"{model.provider} {why}.",
            field=f"models.{kind}",
            allowed=usable,
            code="provider.key_missing" if model.key else "provider.not_here",
        )
    return model


def _is_usable(model: Model, secrets: Mapping[str, str]) -> bool:
    here = not model.regions or aws_region() in model.regions
    return here and not _is_retired(model) and (not model.key or bool(secrets.get(model.key)))


def _is_retired(model: Model) -> bool:
    today = datetime.now(UTC).date()
    return model.shutdown is not None and date.fromisoformat(model.shutdown) <= today


def _check(choice: Choice, wish: CreateVideo) -> None:
    if wish.seconds not in choice.video.seconds:
        allowed = list(choice.video.seconds)
        raise InvalidInput(
            f"{choice.video.model} makes clips of {', '.join(map(str, allowed))} seconds.",
            field="seconds",
            allowed=allowed,
        )
    for model in (choice.image, choice.video):
        if wish.ratio not in model.ratios:
            raise InvalidInput(
                f"{model.model} does not make the ratio {wish.ratio}.",
                field="ratio",
                allowed=list(model.ratios),
            )
