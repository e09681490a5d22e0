"""Links to media that need no header: made for those who may read, opened for whoever holds them.

A link leads through the API, so that it can live long and yet die at once (`media_epochs`); the
API sends its holder on to the store by a presigned URL of STORE_SECONDS. No answer of the API holds
a presigned URL to read by: nobody could take it back.
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
Shown = Literal["image", "video"]
_IMAGES = (".png", ".jpg", ".webp", ".gif")


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
class VideoLinks:
    """Makes links to the files of one video; all of them end at `expires_at`."""

    links: "LinkService"
    address: str
    video_id: str
    epoch: int
    media: Mapping[str, Media]
    now: float
    seconds: int

    @property
    def expires_at(self) -> datetime:
        """When the links stop working."""
        return datetime.fromtimestamp(int(self.now) + self.seconds, UTC)

    def to(self, key: str | None) -> str | None:
        """Return a link to the file under the key; None if there is none."""
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
        return _url(self.address, _shown_as(item) if item else _shown_by(key), key, capability)


@dataclass(frozen=True, slots=True)
class LinkService:
    """Makes and opens links; `secret` is the stack's, which the signing keys are derived from."""

    database: Database
    store: MediaStore
    secret: Callable[[], Mapping[str, str]]

    def make(
        self, address: str, item: Media, *, epoch: int, seconds: int = DEFAULT_SECONDS
    ) -> Link:
        """Return a link to a media object that is ready; `epoch` is its owner's."""
        now = time.time()
        capability = self.signer().sign(item.media_id, epoch=epoch, now=now, seconds=seconds)
        expires_at = datetime.fromtimestamp(int(now) + seconds, UTC)
        return Link(_url(address, _shown_as(item), item.key or "", capability), expires_at)

    def of_video(
        self,
        cursor: Cursor,
        address: str,
        *,
        video_id: str,
        user_id: str,
        seconds: int = DEFAULT_SECONDS,
    ) -> VideoLinks:
        """Return what makes links to the files of the user's video."""
        return VideoLinks(
            links=self,
            address=address,
            video_id=video_id,
            epoch=media.epoch(cursor, user_id),
            media={str(item.key): item for item in media.of_video(cursor, video_id)},
            now=time.time(),
            seconds=seconds,
        )

    def lead(self, kind: Shown, key: str, capability: str | None, method: Method) -> str | None:
        """Check that a link opens what lies under that key, and is of that kind; raises NotFound.

        Returns the id of the video that it belongs to, if it is one of a video.
        """
        now = time.time()
        good = self.signer().verify(_given(capability), method=method, now=now, key=key)
        if good.id.startswith("med_"):
            with self.database.transaction() as cursor:
                item = media.by_epoch(cursor, good.id, good.epoch)
            if item.key == key and _shown_as(item) == kind:
                return item.video_id
        elif _shown_by(key) == kind:
            with self.database.transaction() as cursor:
                if media.is_epoch_of_video(cursor, good.id, good.epoch):
                    return good.id
        raise NotFound("The link leads to no such media object.")

    def open(self, capability: str | None, method: Method) -> Opened:
        """Return what the capability opens; raises NotFound unless it is good for the method."""
        now = time.time()
        good = self.signer().verify(_given(capability), method=method, now=now)
        with self.database.transaction() as cursor:
            item = media.by_epoch(cursor, good.id, good.epoch)
        return Opened(item, int(good.expires_at - now))

    def signer(self) -> LinkSigner:
        """Return what signs and verifies, under the secret of now."""
        secret = self.secret()
        return _signer_of(secret["SECRET_KEY"], secret.get("PREVIOUS_SECRET_KEY"))


@lru_cache(maxsize=2)
def _signer_of(secret: str, previous: str | None) -> LinkSigner:
    return LinkSigner(secret, previous)


def _given(capability: str | None) -> str:
    if capability is None:
        raise NotFound("A link to a media object carries its capability in `t`.")
    return capability


def _url(address: str, shown: Shown, key: str, capability: str) -> str:
    return f"{address}/api/proxy_s3_{shown}/{quote(key)}?t={capability}"


def _shown_as(item: Media) -> Shown:
    return "image" if item.media_type.startswith("image/") else "video"


def _shown_by(key: str) -> Shown:
    return "image" if key.endswith(_IMAGES) else "video"


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
