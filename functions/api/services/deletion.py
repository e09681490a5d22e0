"""Use case of deleting a video: its rows in one transaction, then all versions of its objects."""

from dataclasses import dataclass

from common.aws.log import logger
from common.database import Database, deletions, videos
from common.domain.caller import Caller
from common.domain.errors import Conflict, VideoError
from common.storage import ErasableStore, MediaFolder


@dataclass(frozen=True, slots=True)
class DeletionService:
    """The use case of deleting a video."""

    database: Database
    store: ErasableStore

    def delete(self, caller: Caller, video_id: str) -> None:
        """Delete the caller's video; raises NotFound, or Conflict while its run is in progress.

        The sweeper deletes objects that cannot be deleted now.
        """
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            if not deletions.delete(cursor, video.session_id):
                raise Conflict(
                    "The video is in progress. Cancel it before you delete it.",
                    code="video.running",
                )
        try:
            self.store.erase(MediaFolder(video.user_id, video.session_id))
        except VideoError as error:  # the rows are deleted; the sweeper deletes the objects
            logger.error("objects not deleted", extra={"code": error.error_code})
