"""Deleting a video: its rows in one transaction, then every version of its objects."""

from dataclasses import dataclass

from common.aws.log import logger
from common.database import Database, deletions, videos
from common.domain.caller import Caller
from common.domain.errors import Conflict, VideoError
from common.storage import ErasableStore, MediaFolder


@dataclass(frozen=True, slots=True)
class DeletionService:
    """The use case, with what it works on."""

    database: Database
    store: ErasableStore

    def delete(self, caller: Caller, video_id: str) -> None:
        """Delete the caller's video; raises NotFound, and Conflict while it is being made.

        Objects that cannot be deleted now are deleted by the sweeper.
        """
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            if not deletions.delete(cursor, video.session_id):
                raise Conflict(
                    "The video is being made. Cancel it first; then it can be deleted.",
                    code="video.running",
                )
        try:
            self.store.erase(MediaFolder(video.user_id, video.session_id))
        except VideoError as error:  # the video is gone; the sweeper comes to its objects
            logger.error("objects left", extra={"code": error.error_code})
