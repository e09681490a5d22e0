"""What the functions that call providers share: settings, media store, and provider context."""

from functools import cache

from common import secrets
from common.providers import ProviderContext
from common.settings import GenerationSettings, load
from common.storage.s3 import S3MediaStore


@cache
def settings() -> GenerationSettings:
    """The function's settings, checked once."""
    return load(GenerationSettings)


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


def context() -> ProviderContext:
    """What providers may use. The keys are read anew every few minutes, so they can be rotated."""
    addresses = {"openai": settings().openai_base_url, "runway": settings().runway_base_url}
    return ProviderContext(
        store=store(),
        secrets=secrets.read(settings().providers_secret_arn),
        base_urls={name: url for name, url in addresses.items() if url},
    )
