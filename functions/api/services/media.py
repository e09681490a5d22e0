"""Use cases of the media library: list, get and delete media, and revoke all links."""

from dataclasses import dataclass

from api.schemas.media import MediaError, MediaLinks, MediaObject, MediaPage
from api.services.links import LinkService
from common.database import Database, media
from common.database.media import Media, Search
from common.domain.caller import Caller
from common.storage import ManagedStore, MediaFolder


@dataclass(frozen=True, slots=True)
class MediaService:
    """The use cases of the media library. `address` is the base URL of the API."""

    database: Database
    store: ManagedStore
    links: LinkService

    def page(
        self, caller: Caller, search: Search, *, limit: int, before: str | None, address: str
    ) -> MediaPage:
        """Return a page of the caller's media that match the search, newest first."""
        with self.database.transaction() as cursor:
            rows = media.page(cursor, caller.user_id, search, limit=limit + 1, before=before)
            epoch = media.epoch(cursor, caller.user_id)
        page = rows[:limit]
        return MediaPage(
            data=[self._media_object(item, epoch, address) for item in page],
            next_cursor=page[-1].media_id if len(rows) > limit else None,
        )

    def get(self, caller: Caller, media_id: str, *, address: str) -> MediaObject:
        """Return one of the caller's media objects; raises NotFound."""
        with self.database.transaction() as cursor:
            item = media.get(cursor, media_id, caller.user_id)
            epoch = media.epoch(cursor, caller.user_id)
        return self._media_object(item, epoch, address)

    def delete(self, caller: Caller, media_id: str) -> None:
        """Delete one of the caller's media with all its S3 objects; raises NotFound or Conflict."""
        with self.database.transaction() as cursor:
            item = media.get(cursor, media_id, caller.user_id)
            keys = media.delete(cursor, item)
            if item.kind == "video" and item.key and item.version:
                keys.append(MediaFolder.of(item.key).provenance(item.version))
            # Before the commit: without the row, a failed deletion could not be retried.
            self.store.delete(*keys)

    def revoke_links(self, caller: Caller) -> None:
        """Revoke all existing links to the caller's media, made with any of their API keys."""
        with self.database.transaction() as cursor:
            media.raise_epoch(cursor, caller.user_id)

    def _media_object(self, item: Media, epoch: int, address: str) -> MediaObject:
        link = self.links.make(address, item, epoch=epoch) if item.key else None
        return MediaObject(
            id=item.media_id,
            kind=item.kind,
            status=item.status,
            media_type=item.media_type,
            name=item.name,
            scene=item.scene,
            version=item.version,
            size_bytes=item.size_bytes,
            sha256=item.sha256,
            width=item.width,
            height=item.height,
            seconds=None if item.seconds is None else float(item.seconds),
            s3_key=item.key,
            url=link.url if link else None,
            expires_at=link.expires_at if link else None,
            error=MediaError.model_validate(item.error) if item.error else None,
            created_at=item.created_at,
            links=MediaLinks(
                self=f"/v1/media/{item.media_id}",
                video=f"/v1/videos/{item.video_id}" if item.video_id else None,
            ),
        )
