"""Which models there are, and what a video would cost with those that it takes."""

from collections.abc import Mapping
from datetime import date

from api.presenters.costs import money, units
from api.presenters.video import origin, warnings
from api.schemas.models import Estimate, ModelList, ModelObject, SceneEstimate
from common.application.model_selection import is_usable
from common.domain import models, provider_limits
from common.domain.models import Model, ModelSelection
from common.schemas.requests import CreateVideoRequest
from common.settings import ProviderSettings

_PRICES = (
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "usd_per_million_image_input_tokens",
    "usd_per_million_audio_output_tokens",
    "units_per_second",
    "usd_per_unit",
)
_TAKES = ("prompt_characters", "prompt_utf16_units")


def listing(settings: ProviderSettings, secrets: Mapping[str, str]) -> ModelList:
    """Return every model, and whether the keys that are set let it be used."""
    own = {
        "text": settings.text_provider,
        "image": settings.image_provider,
        "video": settings.video_provider,
        "speech": settings.speech_provider,
    }
    return ModelList(
        data=[
            ModelObject(
                kind=model.kind,
                provider=model.provider,
                model=model.model,
                label=model.label,
                default=model.default,
                usable=is_usable(model, secrets),
                chosen=model.default and own[model.kind] == model.provider,
                ratios=list(model.ratios),
                seconds=list(model.seconds),
                limits=_limits(model, settings.provider_limits),
                price={name: str(value) for name in _PRICES if (value := getattr(model, name))},
                shutdown=date.fromisoformat(model.shutdown) if model.shutdown else None,
            )
            for model in models.models()
        ]
    )


def _limits(model: Model, changes: str) -> dict[str, int]:
    takes = {name: value for name in _TAKES if (value := getattr(model, name))}
    return takes | {limit.counts: limit.most for limit in provider_limits.limits_of(model, changes)}


def estimate(choice: ModelSelection, wish: CreateVideoRequest) -> Estimate:
    """Return what the video would cost, by step and scene."""
    reference = wish.has_picture
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
                clip_units=units(choice.video.clip_cost(wish.seconds)),
                narration=money(choice.narration_usd(wish.seconds)),
            )
            for scene in range(1, wish.scenes + 1)
        ],
        models={model.kind: origin(model) for model in choice.all()},
        warnings=warnings(choice),
    )
