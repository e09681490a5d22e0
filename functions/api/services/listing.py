"""Use cases of lists with pagination: the caller's videos, and the events of a video."""

from dataclasses import dataclass
from datetime import datetime

from api.http.cursors import Cursors
from api.presenters import video as video_presenter
from api.presenters.console import Console
from api.schemas.listing import EventObject, EventPage
from api.schemas.videos import VideoObject, VideoPage
from common.database import Database, attempts, runs, videos
from common.database.search import Search
from common.domain.caller import Caller
from common.domain.errors import InvalidInput
from common.domain.styles import style

# Lambda limits a response to 6 MB, in which quotes and backslashes of the body count twice.
_MAX_PAGE_CHARACTERS = 1_500_000


@dataclass(frozen=True, slots=True)
class ListingService:
    """The use cases of lists."""

    database: Database
    console: Console
    cursors: Cursors

    def videos(
        self, caller: Caller, search: Search, *, limit: int, cursor: str | None
    ) -> VideoPage:
        """Return a page of the caller's videos that match the search, newest first.

        A page has fewer than `limit` videos if more would exceed the size limit of a response.
        """
        scope = ("videos", caller.user_id)
        before = self.cursors.decode(cursor, *scope)
        with self.database.transaction() as sql:
            rows = videos.page(sql, caller.user_id, limit=limit + 1, before=before, search=search)
            data: list[VideoObject] = []
            size = 0
            for video in rows[:limit]:
                item = video_presenter.summary(
                    video,
                    videos.final(sql, video.session_id),
                    attempts.charges(sql, video.session_id),
                    self.console,
                )
                size += len(item.model_dump_json())
                if data and size > _MAX_PAGE_CHARACTERS:
                    break
                data.append(item)
        last_id = rows[len(data) - 1].id if len(rows) > len(data) else None
        return VideoPage(
            data=data,
            next_cursor=None if last_id is None else self.cursors.encode(last_id, *scope),
        )

    def events(self, caller: Caller, video_id: str, *, limit: int, cursor: str | None) -> EventPage:
        """Return a page of the events of all runs of a video, oldest first; raises NotFound."""
        with self.database.transaction() as sql:
            video = videos.get(sql, video_id, caller.user_id)
            scope = ("events", video.session_id)
            after = self.cursors.decode(cursor, *scope) or 0
            rows = runs.timeline(sql, video.session_id, limit=limit + 1, after=after)
        page = rows[:limit]
        return EventPage(
            data=[
                EventObject(
                    id=self.cursors.encode(event.id, *scope),
                    at=event.at,
                    run_id=event.run_id,
                    type=event.type,
                    scene=event.scene,
                    facts=event.facts,
                )
                for event in page
            ],
            next_cursor=self.cursors.encode(page[-1].id, *scope) if len(rows) > limit else None,
        )


def search(
    *,
    statuses: list[str] | None,
    style_name: str | None,
    after: datetime | None,
    before: datetime | None,
    text: str | None,
    metadata: list[str] | None,
) -> Search:
    """Return the search for the filters of a request; raises InvalidInput."""
    pairs = [pair.partition(":") for pair in metadata or []]
    if not all(separator for _, separator, _ in pairs):
        raise InvalidInput("Send the metadata filter as `key:value`.", field="metadata")
    return Search(
        statuses=statuses or (),
        style=style(style_name).name if style_name is not None else None,
        after=after,
        before=before,
        text=text,
        metadata={key: value for key, _, value in pairs},
    )
