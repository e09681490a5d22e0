"""Requests, sessions and images for tests of the vendors' adapters.

`CANARY` marks keys, prompts and images. It must not appear anywhere else.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from common.aws import clients as common_aws
from common.domain import ids
from common.domain.errors import VideoError
from common.domain.styles import mood, style
from common.domain.video import RATIOS, EncodedImage
from common.providers import (
    ClipRequest,
    ImageRequest,
    ProviderContext,
    SpeechRequest,
    StoryRequest,
)
from tests.stand_ins.charge_book import Charge
from tests.stand_ins.process import StandIn
from tests.support.media_store import InMemoryMediaStore

CANARY = "canary7f3a"


class VendorSession:
    """The charges and requests of a stand-in since the session began. Clears its faults first."""

    def __init__(self, vendor: StandIn) -> None:
        vendor.clear()
        self.vendor = vendor
        self._bookings = len(vendor.bookings())
        self._requests = len(vendor.requests())

    def charges(self) -> list[Charge]:
        """Return the accepted charges, without refunds."""
        return [c for c in self.vendor.bookings()[self._bookings :] if c.kind != "refund"]

    def spent(self) -> Decimal:
        """Return the charges less refunds, in the vendor's unit."""
        return sum((c.amount for c in self.vendor.bookings()[self._bookings :]), Decimal(0))

    def calls(self, endpoint: str) -> int:
        """Return the number of calls to an endpoint."""
        rows = self.vendor.requests()[self._requests :]
        return sum(row["endpoint"] == endpoint for row in rows)


def context(
    *,
    openai: StandIn | None = None,
    runway: StandIn | None = None,
    store: InMemoryMediaStore | None = None,
) -> ProviderContext:
    """Return a provider context for the given stand-ins."""
    secrets: dict[str, str] = {}
    addresses: dict[str, str] = {}
    if openai:
        secrets["OPENAI_API_KEY"], addresses["openai"] = openai.api_key, openai.base_url
    if runway:
        secrets["RUNWAY_API_KEY"], addresses["runway"] = runway.api_key, runway.base_url
    return ProviderContext(
        store=store or InMemoryMediaStore(), secrets=secrets, base_urls=addresses
    )


def with_secrets(context: ProviderContext, secrets: Mapping[str, str]) -> ProviderContext:
    """Return the context with other API keys."""
    return replace(context, secrets=dict(secrets))


@cache
def sample_image(ratio: str = "1280:720", *, grain: int = 0, extra: int = 0) -> EncodedImage:
    """Return an image of the ratio's size; `grain` and `extra` (bytes) enlarge the file."""
    image = Image.new("RGB", RATIOS[ratio], (90, 120, 160))
    if grain:
        image = Image.effect_noise(RATIOS[ratio], grain).convert("RGB")
    info = PngInfo()
    info.add_text("Comment", CANARY + "." * extra)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return EncodedImage(out.getvalue())


@contextmanager
def aws(monkeypatch: pytest.MonkeyPatch, bedrock_url: str) -> Iterator[None]:
    """Point AWS clients to the stand-in for Bedrock."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock_url)
    caches = (common_aws.bedrock, common_aws._session)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def fresh_token() -> str:
    """Return a new attempt token."""
    return ids.new("att")


def story_request(scenes: int = 3, *, model: str = "gpt-6-luna", prompt: str = "") -> StoryRequest:
    """Return a request for a story."""
    return StoryRequest(
        prompt=prompt or f"A cat keeps a lighthouse, {CANARY}",
        scenes=scenes,
        seconds=5,
        style=style("Watercolor"),
        mood=mood("Calm"),
        model=model,
        seed=7,
    )


def image_request(
    *,
    ratio: str = "1280:720",
    reference: EncodedImage | None = None,
    anchor: EncodedImage | None = None,
    model: str = "gpt-image-2.5-sunburst",
    prompt: str = "",
) -> ImageRequest:
    """Return a request for an image."""
    return ImageRequest(
        prompt=prompt or f"A grey cat on a balcony, {CANARY}",
        size=RATIOS[ratio],
        scene=2,
        scenes=3,
        style=style("Watercolor"),
        mood=mood("Calm"),
        model=model,
        seed=7,
        reference=reference,
        anchor=anchor,
    )


def clip_request(
    *,
    ratio: str = "1280:720",
    seconds: int = 5,
    model: str = "gen4_turbo",
    image: EncodedImage | None = None,
    prompt: str = "",
    token: str = "att_1",
) -> ClipRequest:
    """Return a request for a clip."""
    return ClipRequest(
        image=image or sample_image(ratio),
        image_key="alice/vid_1/reference-frames/generated_frame_1_1.png",
        prompt=prompt or f"The cat turns its head, {CANARY}",
        ratio=ratio,
        seconds=seconds,
        scene=1,
        mood=mood("Calm"),
        model=model,
        seed=7,
        client_token=token,
    )


def speech_request(
    text: str = "",
    *,
    seconds: int = 5,
    model: str = "gpt-audio-1.5",
    voice: str | None = None,
    language: str | None = None,
) -> SpeechRequest:
    """Return a request for speech."""
    return SpeechRequest(
        text=text or f"The cat climbs the stairs, {CANARY}.",
        seconds=seconds,
        mood=mood("Calm"),
        model=model,
        voice=voice,
        language=language,
    )


def error_text(error: VideoError) -> str:
    """Return all texts of an error that users can see."""
    return " ".join(str(part) for part in (error, error.detail, error.error_code, error.allowed))
