"""Checks of provider keys, balances, regions and model shutdowns."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast, get_args

from common.domain import models
from common.domain.errors import VideoError
from common.domain.models import api_key_in
from common.providers import ProviderContext, _openai
from common.providers.video._runway_api import KEY as RUNWAY_KEY
from common.providers.video._runway_api import RunwayApi
from infra.config import Stage
from infra.operator.checks import Finding, Site, fail, ok, warn

if TYPE_CHECKING:
    from common.storage import MediaStore

NEAR_DAYS = 60
_FREE_SECONDS = 15.0
_SCENES, _SECONDS = 6, 5  # of a usual video


def openai(site: Site) -> Finding:
    """OpenAI accepts the stage's key."""
    return _asked(site, "OpenAI", _openai.KEY, _ask_openai)


def runway(site: Site) -> Finding:
    """Runway accepts the stage's key, and has credits left for a video."""
    return _asked(site, "Runway", RUNWAY_KEY, _ask_runway)


def shutdowns(site: Site) -> Finding:
    """No model of the registry is about to be shut down by its provider."""
    ending = [
        (days, model)
        for model in models.models()
        if (days := model.days_left(site.now.date())) is not None and days <= NEAR_DAYS
    ]
    if not ending:
        return ok(f"No model is shut down within {NEAR_DAYS} days.")
    words = [
        f"{model.label} was shut down on {model.shutdown}"
        if days < 0
        else f"{model.label} is shut down on {model.shutdown}"
        for days, model in sorted(ending, key=lambda one: one[0])
    ]
    return warn(
        f"{'; '.join(words)}.", "Choose another model in functions/common/domain/models.toml."
    )


def regions(site: Site) -> Finding:
    """Providers that the stage names are offered in its region."""
    for kind in get_args(models.Kind):
        provider = getattr(site.stage, f"{kind}_provider")
        if provider == models.BY_KEY:
            continue
        model = models.find(kind, provider)
        if model.regions and site.region not in model.regions:
            return fail(
                f"{model.label} answers in {', '.join(model.regions)} only, not in {site.region}.",
                f"Set {kind}_provider to another one, or deploy there.",
            )
    return ok("The providers are offered in this region.")


def _ask_openai(context: ProviderContext) -> Finding:
    _openai.Client(context, "models").call(
        _FREE_SECONDS, lambda sdk: sdk.models.with_raw_response.list()
    )
    return ok("OpenAI accepts the key. Its API has no balance; see its console.")


def _ask_runway(context: ProviderContext) -> Finding:
    credits_ = RunwayApi(context).credits()
    if credits_ is None:
        return ok("Runway accepts the key, but does not say how many credits are left.")
    model = models.find("video", "runway")
    left_usd, video_usd = credits_ * model.usd_per_unit, _SCENES * model.clip_usd(_SECONDS)
    left = f"{credits_} credits ({left_usd:.2f} USD)"
    if left_usd < video_usd:
        return warn(
            f"Runway accepts the key, but only {left} are left. A video of {_SCENES} scenes of "
            f"{_SECONDS} seconds costs {video_usd:.2f} USD.",
            "Buy credits in Runway's developer portal.",
        )
    return ok(f"Runway accepts the key; {left} are left.")


def _asked(
    site: Site, vendor: str, name: str, ask: Callable[[ProviderContext], Finding]
) -> Finding:
    """Check the key in the stage's secret by a free call to the vendor."""
    stack, stage = site.stack, site.stage
    if stack is None or "ProvidersSecretArn" not in stack.outputs:
        return ok(f"After the deployment a key of {vendor} can be put into the stage's secret.")
    arn = stack.outputs["ProvidersSecretArn"]
    secret = site.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    keys: Mapping[str, str] = json.loads(secret)
    remedy = f"Put {name} into the secret {arn}."
    if not keys.get(name, "").strip():
        if not _takes(stage, vendor.lower()):
            return ok(f"The stage does not use {vendor}.")
        return warn(f"There is no key of {vendor}: its part is made offline, without AI.", remedy)
    key = api_key_in(keys, name)
    if key is None:
        return fail(f"{name} contains characters that no key has.", remedy)
    addresses = {"openai": stage.openai_base_url, "runway": stage.runway_base_url}
    context = ProviderContext(
        cast("MediaStore", None),  # a look at an account stores nothing
        {name: key},
        {vendor: url for vendor, url in addresses.items() if url},
    )
    try:
        return ask(context)
    except VideoError as error:
        if error.error_code in ("provider.key", "provider.forbidden"):
            return fail(f"{vendor} rejects the key in the stage's secret.", remedy)
        return warn(f"{vendor} does not respond, so its key could not be checked.", "Try again.")


def _takes(stage: Stage, vendor: str) -> bool:
    """Return whether the stage uses the vendor for any kind of work."""
    for kind in get_args(models.Kind):
        provider = getattr(stage, f"{kind}_provider")
        offered = {model.provider for model in models.models() if model.kind == kind}
        if provider == vendor or (provider == models.BY_KEY and vendor in offered):
            return True
    return False
