"""Use cases of models: list them, and estimate the cost of a video."""

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
_PROMPT_LIMITS = ("prompt_characters", "prompt_utf16_units")


def listing(settings: ProviderSettings, secrets: Mapping[str, str]) -> ModelList:
    """Return all models; one is usable if the API key of its provider is configured."""
    stage_providers = {
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
                chosen=model.default and stage_providers[model.kind] == model.provider,
                ratios=list(model.ratios),
                seconds=list(model.seconds),
                limits=_limits(model, settings.provider_limits),
                price={name: str(value) for name in _PRICES if (value := getattr(model, name))},
                shutdown=date.fromisoformat(model.shutdown) if model.shutdown else None,
            )
            for model in models.models()
        ]
    )


def _limits(model: Model, overrides: str) -> dict[str, int]:
    prompt = {name: value for name in _PROMPT_LIMITS if (value := getattr(model, name))}
    limits = provider_limits.limits_of(model, overrides)
    return prompt | {limit.counts: limit.most for limit in limits}


def estimate(choice: ModelSelection, request: CreateVideoRequest) -> Estimate:
    """Return the estimated cost of the video, by step and scene."""
    reference = request.has_reference_image
    return Estimate(
        total=money(
            choice.estimate_usd(
                scenes=request.scenes,
                seconds=request.seconds,
                ratio=request.ratio,
                reference=reference,
            )
        ),
        story=money(choice.text.story_usd(request.scenes)),
        scenes=[
            SceneEstimate(
                scene=scene,
                image=money(choice.scene_image_usd(scene, request.ratio, reference)),
                clip=money(choice.video.clip_usd(request.seconds)),
                clip_units=units(choice.video.clip_cost(request.seconds)),
                narration=money(choice.narration_usd(request.seconds)),
            )
            for scene in range(1, request.scenes + 1)
        ],
        models={model.kind: origin(model) for model in choice.all()},
        warnings=warnings(choice),
    )
