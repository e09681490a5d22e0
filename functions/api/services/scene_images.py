"""Pictures that clips begin with: read and fitted before the transaction that stores them.

Decoding takes seconds, and the transaction holds the row of the video.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from common.application.image_inputs import ImageInputs, ResolvedImage
from common.database import Cursor, Database, scenes, versions, videos
from common.database.videos import VideoRecord
from common.domain.caller import Caller
from common.domain.errors import Conflict, NotFound
from common.domain.video import RATIOS, EncodedImage
from common.storage import MediaFolder, MediaStore

DEFAULT_RATIO = "1280:720"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture at the size of a clip of that ratio."""

    source: ResolvedImage
    ratio: str


@dataclass(frozen=True, slots=True)
class SceneImages:
    """Reads, fits and stores the pictures, with what it works on."""

    database: Database
    store: MediaStore
    references: ImageInputs

    def given(
        self, caller: Caller, texts: Mapping[str, str], name: str | None, ratio: str | None
    ) -> list[Prepared]:
        """Return the pictures that the fields of a request name, for the video `name`."""
        ratio = ratio or self._ratio(caller, name)
        sources = self.references.read_all(caller.user_id, texts, RATIOS[ratio])
        return [Prepared(source, ratio) for source in sources]

    def of_scene(
        self, caller: Caller, name: str | None, scene: int, ratio: str | None
    ) -> Prepared | None:
        """Return the picture that the scene has; None if it has none."""
        ratio = ratio or self._ratio(caller, name)
        if name is None:
            return None
        try:
            with self.database.transaction() as cursor:
                video = videos.get(cursor, name, caller.user_id)
                frame = scenes.finished_frames(cursor, video.session_id).get(scene)
        except NotFound:
            return None
        if frame is None or frame.image_key is None:
            return None
        # Imported here: Pillow is only needed for requests with a picture.
        from common.media import images

        stored = EncodedImage(self.store.get(frame.image_key))
        fitted = images.fit(stored, RATIOS[ratio])
        return Prepared(ResolvedImage(fitted, frame.image_key, fitted=fitted is not stored), ratio)

    def keep(
        self,
        cursor: Cursor,
        video: VideoRecord,
        scene: int,
        prepared: Prepared | None,
        ratio: str,
        *,
        prompt: str,
        timestamp: str,
        given: bool = True,
    ) -> None:
        """Make sure that the scene's newest picture is the prepared one.

        `given`: the request named it; otherwise it is the scene's own. Raises Conflict for a scene
        without a picture, and for a video that was changed since it was prepared.
        """
        there = scenes.finished_frames(cursor, video.session_id).get(scene)
        if not given and (there is None or there.image_key is None):
            raise Conflict(
                "The scene has no picture yet. Send one as startImage, or make it first "
                "(/api/generate_single_image).",
                code="clip.no_picture",
            )
        key = there.image_key if there else None
        if prepared is None or prepared.ratio != ratio or not (given or prepared.source.key == key):
            raise Conflict(
                "The video was changed by another request meanwhile; nothing was stored. Try "
                "again.",
                code="video.changed",
                retryable=True,
            )
        if key is not None and key == prepared.source.key and not prepared.source.fitted:
            return
        picture = prepared.source.picture
        version = versions.add_frame(
            cursor,
            video.session_id,
            scene,
            prompt=prompt,
            timestamp=timestamp,
            style=video.style,
            mood=video.mood,
        )
        key = MediaFolder(video.user_id, video.session_id).scene_reference(scene, version)
        # Before the commit: a row without its picture must not exist.
        self.store.put(key, picture.data, picture.media_type)
        versions.keep_frame(cursor, video.session_id, scene, version, key=key, size=RATIOS[ratio])

    def _ratio(self, caller: Caller, name: str | None) -> str:
        """Return the ratio that clips of the video have if the request names none."""
        if name is None:
            return DEFAULT_RATIO
        try:
            with self.database.transaction() as cursor:
                return videos.get(cursor, name, caller.user_id).ratio
        except NotFound:
            return DEFAULT_RATIO
