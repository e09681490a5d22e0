"""What the functions that call providers share: settings, stores, the ledger, provider context."""

from decimal import Decimal
from functools import cache

from common.application.billing.charge import Charge
from common.application.billing.paid_calls import PaidCalls
from common.aws import clients, secrets
from common.database import Database
from common.database.attempts import Step
from common.database.videos import Video
from common.domain import provider_limits
from common.domain.models import Model
from common.providers import ProviderContext
from common.settings import GenerationSettings, load
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore


@cache
def settings() -> GenerationSettings:
    """The function's settings, checked once."""
    return load(GenerationSettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@cache
def ledger() -> PaidCalls:
    """The protocol of paid calls."""
    clients.s3()  # built now, and not between a paid call and its receipt
    return PaidCalls(database(), store())


def context() -> ProviderContext:
    """What providers may use. The keys are read anew every few minutes, so they can be rotated."""
    addresses = {"openai": settings().openai_base_url, "runway": settings().runway_base_url}
    return ProviderContext(
        store=store(),
        secrets=secrets.read(settings().providers_secret_arn),
        base_urls={name: url for name, url in addresses.items() if url},
    )


def folder(video: Video) -> MediaFolder:
    """Where the video's media lie."""
    return MediaFolder(video.user_id, video.session_id)


def charge(
    run_id: str,
    video: Video,
    step: Step,
    model: Model,
    usd: Decimal,
    lease_seconds: int,
    pictures: int = 0,
) -> Charge:
    """What a step of the video may cost, under the policy of its owner.

    `pictures` is how many the call sends, as the provider counts them.
    """
    return Charge(
        run_id=run_id,
        step=step,
        folder=folder(video),
        model=model,
        estimated_usd=usd,
        lease_seconds=lease_seconds,
        may_resubmit=video.on_unknown == "resubmit_once",
        max_cost_usd=video.max_cost_usd,
        limits=provider_limits.limits_of(model, settings().provider_limits),
        pictures=pictures,
    )
