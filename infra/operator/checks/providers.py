"""Which providers a stage takes, whether their keys work, and how long their models will."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, cast, get_args

from common.errors import VideoError
from common.providers import ProviderContext, _openai, key_in, models
from common.providers.video._runway_api import KEY as RUNWAY_KEY
from common.providers.video._runway_api import RunwayApi
from infra.config import Stage
from infra.operator.checks import Finding, Site, fail, ok, warn

if TYPE_CHECKING:
    from common.storage import MediaStore

NEAR_DAYS = 60
_FREE_SECONDS = 15.0
# What six scenes of five seconds cost; with less there will soon be no video.
_FEW_CREDITS = 150


def openai(site: Site) -> Finding:
    """OpenAI takes the stage's key."""
    return _asked(site, "OpenAI", _openai.KEY, _ask_openai)


def runway(site: Site) -> Finding:
    """Runway takes the stage's key, and there are credits left."""
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
        f"{'; '.join(words)}.", "Choose another model in functions/common/providers/models.toml."
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
    return ok("OpenAI takes the key. It tells no balance; its console does.")


def _ask_runway(context: ProviderContext) -> Finding:
    credits_ = RunwayApi(context).credits()
    if credits_ is None:
        return ok("Runway takes the key, and told no balance.")
    worth = f"{credits_} credits, {Decimal(credits_) / 100:.2f} USD"
    if credits_ < _FEW_CREDITS:
        return warn(
            f"Runway takes the key, but only {worth} are left: less than six scenes of five "
            "seconds cost.",
            "Buy credits in Runway's developer portal.",
        )
    return ok(f"Runway takes the key; {worth} are left.")


def _asked(
    site: Site, vendor: str, name: str, ask: Callable[[ProviderContext], Finding]
) -> Finding:
    """Look at the key in the stage's secret, and ask the vendor something that costs nothing."""
    stack, stage = site.stack, site.stage
    if stack is None or "ProvidersSecretArn" not in stack.outputs:
        return ok(f"After the deployment a key of {vendor} can be put into the stage's secret.")
    arn = stack.outputs["ProvidersSecretArn"]
    secret = site.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    keys: Mapping[str, str] = json.loads(secret)
    todo = f"Put {name} into the secret {arn}."
    if not keys.get(name, "").strip():
        if not _takes(stage, vendor.lower()):
            return ok(f"The stage takes nothing from {vendor}.")
        return warn(f"There is no key of {vendor}: its part is made offline, without AI.", todo)
    key = key_in(keys, name)
    if key is None:
        return fail(f"{name} has letters that no key can have.", todo)
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
            return fail(f"{vendor} refuses the key in the stage's secret.", todo)
        return warn(f"{vendor} does not answer; nothing is known about its key.", "Try again.")


def _takes(stage: Stage, vendor: str) -> bool:
    """Say whether the stage may take the vendor for some kind of work."""
    for kind in get_args(models.Kind):
        provider = getattr(stage, f"{kind}_provider")
        offered = {model.provider for model in models.models() if model.kind == kind}
        if provider == vendor or (provider == models.BY_KEY and vendor in offered):
            return True
    return False
