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
_FREE_CALL_SECONDS = 15.0
_SCENES, _SECONDS = 6, 5  # of a typical video


def openai(site: Site) -> Finding:
    """Check that OpenAI accepts the stage's key."""
    return _check_key(site, "OpenAI", _openai.KEY, _call_openai)


def runway(site: Site) -> Finding:
    """Check that Runway accepts the stage's key and that its credits pay for a video."""
    return _check_key(site, "Runway", RUNWAY_KEY, _call_runway)


def shutdowns(site: Site) -> Finding:
    """Check that no provider is about to shut down a model of the registry."""
    ending = [
        (days, model)
        for model in models.models()
        if (days := model.days_left(site.now.date())) is not None and days <= NEAR_DAYS
    ]
    if not ending:
        return ok(f"No model shuts down within {NEAR_DAYS} days.")
    sentences = [
        f"{model.label} was shut down on {model.shutdown}"
        if days < 0
        else f"{model.label} will be shut down on {model.shutdown}"
        for days, model in sorted(ending, key=lambda item: item[0])
    ]
    return warn(
        f"{'; '.join(sentences)}.", "Choose another model in functions/common/domain/models.toml."
    )


def regions(site: Site) -> Finding:
    """Check that the providers named by the stage are available in its region."""
    for kind in get_args(models.Kind):
        provider = getattr(site.stage, f"{kind}_provider")
        if provider == models.BY_KEY:
            continue
        model = models.find(kind, provider)
        if model.regions and site.region not in model.regions:
            return fail(
                f"{model.label} is available in {', '.join(model.regions)} only, "
                f"not in {site.region}.",
                f"Set {kind}_provider to another provider, or deploy to one of these regions.",
            )
    return ok("The providers are available in this region.")


def _call_openai(context: ProviderContext) -> Finding:
    _openai.Client(context, "models").call(
        _FREE_CALL_SECONDS, lambda sdk: sdk.models.with_raw_response.list()
    )
    return ok("OpenAI accepts the key. Its API does not report the balance; see its console.")


def _call_runway(context: ProviderContext) -> Finding:
    credits_ = RunwayApi(context).credits()
    if credits_ is None:
        return ok("Runway accepts the key, but does not report its credits.")
    model = models.find("video", "runway")
    left_usd, video_usd = credits_ * model.usd_per_unit, _SCENES * model.clip_usd(_SECONDS)
    balance = f"{credits_} credits ({left_usd:.2f} USD)"
    if left_usd < video_usd:
        return warn(
            f"Runway accepts the key, but only {balance} are left. A video of {_SCENES} scenes of "
            f"{_SECONDS} seconds costs {video_usd:.2f} USD.",
            "Buy credits in Runway's developer portal.",
        )
    return ok(f"Runway accepts the key; {balance} are left.")


def _check_key(
    site: Site, vendor: str, name: str, call: Callable[[ProviderContext], Finding]
) -> Finding:
    """Check the key in the stage's secret with a call to the vendor that costs nothing."""
    stack, stage = site.stack, site.stage
    if stack is None or "ProvidersSecretArn" not in stack.outputs:
        return ok(f"The key for {vendor} can be stored after the deployment.")
    arn = stack.outputs["ProvidersSecretArn"]
    secret = site.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    keys: Mapping[str, str] = json.loads(secret)
    remedy = f"Set {name} in the secret {arn}."
    if not keys.get(name, "").strip():
        if not _uses(stage, vendor.lower()):
            return ok(f"The stage does not use {vendor}.")
        return warn(f"There is no key for {vendor}: its part is made offline, without AI.", remedy)
    key = api_key_in(keys, name)
    if key is None:
        return fail(f"{name} contains characters that are not valid in a key.", remedy)
    addresses = {"openai": stage.openai_base_url, "runway": stage.runway_base_url}
    context = ProviderContext(
        cast("MediaStore", None),  # these calls store nothing
        {name: key},
        {vendor: url for vendor, url in addresses.items() if url},
    )
    try:
        return call(context)
    except VideoError as error:
        if error.error_code in ("provider.key", "provider.forbidden"):
            return fail(f"{vendor} rejects the key in the stage's secret.", remedy)
        return warn(f"{vendor} does not respond, so the key could not be checked.", "Try again.")


def _uses(stage: Stage, vendor: str) -> bool:
    """Return True if the stage uses the vendor for any kind of generation."""
    for kind in get_args(models.Kind):
        provider = getattr(stage, f"{kind}_provider")
        offered = {model.provider for model in models.models() if model.kind == kind}
        if provider == vendor or (provider == models.BY_KEY and vendor in offered):
            return True
    return False
