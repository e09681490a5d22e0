"""Links to media that need no header: made for those who may read, opened for whoever holds them.

A link leads through the API, so that it can live long and yet die at once (`media_epochs`); the
API sends its holder on to the store by a presigned URL of a few minutes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from common.capabilities import DEFAULT_SECONDS, Method, Signer
from common.database import Database, media
from common.database.media import Media
from common.errors import NotFound
from common.storage import MediaStore

STORE_SECONDS = 300
Shown = Literal["image", "video"]


@dataclass(frozen=True, slots=True)
class Link:
    """A URL, and when it stops working."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link opens, and for how many seconds more."""

    media: Media
    seconds: int


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and opens links; `secret` is the stack's, which the signing keys are derived from."""

    database: Database
    store: MediaStore
    secret: Callable[[], Mapping[str, str]]

    def make(
        self, address: str, item: Media, *, epoch: int, seconds: int = DEFAULT_SECONDS
    ) -> Link:
        """Return a link to a media object that is ready; `epoch` is its owner's."""
        now = time.time()
        capability = self._signer().sign(item.media_id, epoch=epoch, now=now, seconds=seconds)
        route = f"/api/proxy_s3_{_shown_as(item)}/{quote(item.key or '')}"
        expires_at = datetime.fromtimestamp(int(now) + seconds, UTC)
        return Link(f"{address}{route}?t={capability}", expires_at)

    def lead(self, kind: Shown, key: str, capability: str | None, method: Method) -> Media:
        """Return what a link opens, if it is of that kind and under that key; raises NotFound."""
        item = self.open(capability, method).media
        if item.key != key or _shown_as(item) != kind:
            raise NotFound("The link leads to no such media object.")
        return item

    def open(self, capability: str | None, method: Method) -> Opened:
        """Return what the capability opens; raises NotFound unless it is good for the method."""
        now = time.time()
        if capability is None:
            raise NotFound("A link to a media object carries its capability in `t`.")
        good = self._signer().verify(capability, method=method, now=now)
        with self.database.transaction() as cursor:
            item = media.by_epoch(cursor, good.media_id, good.epoch)
        return Opened(item, int(good.expires_at - now))

    def _signer(self) -> Signer:
        secret = self.secret()
        return _signer_of(secret["SECRET_KEY"], secret.get("PREVIOUS_SECRET_KEY"))


@lru_cache(maxsize=2)
def _signer_of(secret: str, previous: str | None) -> Signer:
    return Signer(secret, previous)


def _shown_as(item: Media) -> Shown:
    return "image" if item.media_type.startswith("image/") else "video"


def address(event: APIGatewayProxyEvent, scheme: str = "https") -> str:
    """Return the API's own address, as the client wrote it: host and stage.

    Empty for an event that was not sent to a host. The scheme is not read from the request, whose
    headers anybody may write.
    """
    context = event.request_context
    if not context.domain_name:
        return ""
    stage = (context.path or "").removesuffix(event.path)
    return f"{scheme}://{context.domain_name}{stage}"
