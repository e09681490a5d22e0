"""Signed links to media: created for a caller with access, valid for every holder.

A link points to the API, so that it can be long-lived and still be revoked at once
(`media_epochs`). The API redirects it to a presigned URL that is valid for STORE_SECONDS. No
response contains a presigned URL to read from, because such a URL cannot be revoked.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from common.database import Cursor, Database, media
from common.database.media import Media
from common.domain.errors import NotFound
from common.domain.signed_links import DEFAULT_SECONDS, LinkSigner, Method
from common.storage import MediaStore

STORE_SECONDS = 300
LinkKind = Literal["image", "video"]
_IMAGES = (".png", ".jpg", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class Link:
    """A URL and its time of expiry."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """The media object of a signed link, and its remaining seconds."""

    media: Media
    seconds: int


@dataclass(frozen=True, slots=True)
class VideoLinks:
    """Creates links to the files of a video; all of them expire at `expires_at`."""

    links: "LinkService"
    address: str
    video_id: str
    epoch: int
    media: Mapping[str, Media]
    now: float
    seconds: int

    @property
    def expires_at(self) -> datetime:
        """Time at which the links expire."""
        return datetime.fromtimestamp(int(self.now) + self.seconds, UTC)

    def to(self, key: str | None) -> str | None:
        """Return a link to the object under the key; None without a key."""
        if key is None:
            return None
        item = self.media.get(key)
        capability = self.links.signer().sign(
            item.media_id if item else self.video_id,
            epoch=self.epoch,
            now=self.now,
            seconds=self.seconds,
            key=None if item else key,
        )
        kind = _kind_of(item) if item else _kind_of_key(key)
        return _url(self.address, kind, key, capability)


@dataclass(frozen=True, slots=True)
class LinkService:
    """Creates and verifies signed links.

    `secret` returns the stack's secret, from which the signing keys are derived.
    """

    database: Database
    store: MediaStore
    secret: Callable[[], Mapping[str, str]]

    def make(
        self, address: str, item: Media, *, epoch: int, seconds: int = DEFAULT_SECONDS
    ) -> Link:
        """Return a link to a finished media object; `epoch` is that of its owner."""
        now = time.time()
        capability = self.signer().sign(item.media_id, epoch=epoch, now=now, seconds=seconds)
        expires_at = datetime.fromtimestamp(int(now) + seconds, UTC)
        return Link(_url(address, _kind_of(item), item.key or "", capability), expires_at)

    def of_video(
        self,
        cursor: Cursor,
        address: str,
        *,
        video_id: str,
        user_id: str,
        seconds: int = DEFAULT_SECONDS,
    ) -> VideoLinks:
        """Return the link factory for the files of the user's video."""
        return VideoLinks(
            links=self,
            address=address,
            video_id=video_id,
            epoch=media.epoch(cursor, user_id),
            media={str(item.key): item for item in media.of_video(cursor, video_id)},
            now=time.time(),
            seconds=seconds,
        )

    def authorize(
        self, kind: LinkKind, key: str, capability: str | None, method: Method
    ) -> str | None:
        """Check that a link authorizes the method on this key and kind; raises NotFound.

        Returns the id of the video that the object belongs to, if any.
        """
        now = time.time()
        grant = self.signer().verify(_required(capability), method=method, now=now, key=key)
        if grant.id.startswith("med_"):
            with self.database.transaction() as cursor:
                item = media.by_epoch(cursor, grant.id, grant.epoch)
            if item.key == key and _kind_of(item) == kind:
                return item.video_id
        elif _kind_of_key(key) == kind:
            with self.database.transaction() as cursor:
                if media.is_epoch_of_video(cursor, grant.id, grant.epoch):
                    return grant.id
        raise NotFound("The signed link is not valid for this media object.")

    def open(self, capability: str | None, method: Method) -> OpenedLink:
        """Return the object of a capability; raises NotFound if it does not allow the method."""
        now = time.time()
        grant = self.signer().verify(_required(capability), method=method, now=now)
        with self.database.transaction() as cursor:
            item = media.by_epoch(cursor, grant.id, grant.epoch)
        return OpenedLink(item, int(grant.expires_at - now))

    def signer(self) -> LinkSigner:
        """Return the signer for the current secret, and the previous one during a rotation."""
        secret = self.secret()
        return _signer_of(secret["SECRET_KEY"], secret.get("PREVIOUS_SECRET_KEY"))


@lru_cache(maxsize=2)
def _signer_of(secret: str, previous: str | None) -> LinkSigner:
    return LinkSigner(secret, previous)


def _required(capability: str | None) -> str:
    if capability is None:
        raise NotFound("The link is incomplete: the parameter `t` is missing.")
    return capability


def _url(address: str, kind: LinkKind, key: str, capability: str) -> str:
    return f"{address}/api/proxy_s3_{kind}/{quote(key)}?t={capability}"


def _kind_of(item: Media) -> LinkKind:
    return "image" if item.media_type.startswith("image/") else "video"


def _kind_of_key(key: str) -> LinkKind:
    return "image" if key.endswith(_IMAGES) else "video"


def address(event: APIGatewayProxyEvent, scheme: str = "https") -> str:
    """Return the base URL of the API, with the host of the request and the stage.

    Empty for an event without a host. The scheme does not come from the request, because a client
    can forge its headers.
    """
    context = event.request_context
    if not context.domain_name:
        return ""
    stage = (context.path or "").removesuffix(event.path)
    return f"{scheme}://{context.domain_name}{stage}"
