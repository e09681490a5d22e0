"""Images that clips animate: read and resized before the transaction that stores them.

Decoding takes seconds, and the transaction locks the row of the video.
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
class PreparedImage:
    """An image at the size of a clip of this ratio."""

    source: ResolvedImage
    ratio: str


@dataclass(frozen=True, slots=True)
class SceneImages:
    """Reads, resizes and stores the images of scenes."""

    database: Database
    store: MediaStore
    inputs: ImageInputs

    def from_request(
        self, caller: Caller, texts: Mapping[str, str], name: str | None, ratio: str | None
    ) -> list[PreparedImage]:
        """Return the images in the fields of a request, for the video `name`.

        `texts` has the content of each field by its name.
        """
        ratio = ratio or self._ratio(caller, name)
        sources = self.inputs.read_all(caller.user_id, texts, RATIOS[ratio])
        return [PreparedImage(source, ratio) for source in sources]

    def of_scene(
        self, caller: Caller, name: str | None, scene: int, ratio: str | None
    ) -> PreparedImage | None:
        """Return the current image of the scene; None if it has none."""
        ratio = ratio or self._ratio(caller, name)
        if name is None:
            return None
        try:
            with self.database.transaction() as cursor:
                video = videos.get(cursor, name, caller.user_id)
                frame = scenes.finished_images(cursor, video.session_id).get(scene)
        except NotFound:
            return None
        if frame is None or frame.image_key is None:
            return None
        # Imported here, to keep Pillow out of cold starts.
        from common.media import images

        stored = EncodedImage(self.store.get(frame.image_key))
        fitted = images.fit(stored, RATIOS[ratio])
        source = ResolvedImage(fitted, frame.image_key, fitted=fitted is not stored)
        return PreparedImage(source, ratio)

    def ensure_current(
        self,
        cursor: Cursor,
        video: VideoRecord,
        scene: int,
        prepared: PreparedImage | None,
        ratio: str,
        *,
        prompt: str,
        timestamp: str,
        from_request: bool = True,
    ) -> None:
        """Make the prepared image the newest version of the scene's image.

        `from_request` is whether the request contained it; otherwise it is the scene's own. Raises
        Conflict for a scene without an image, and if the video was changed since the image was
        prepared (optimistic locking).
        """
        current = scenes.finished_images(cursor, video.session_id).get(scene)
        if not from_request and (current is None or current.image_key is None):
            raise Conflict(
                "The scene has no image yet. Send one as startImage, or generate it first "
                "(/api/generate_single_image).",
                code="clip.no_picture",
            )
        key = current.image_key if current else None
        is_current = from_request or (prepared is not None and prepared.source.key == key)
        if prepared is None or prepared.ratio != ratio or not is_current:
            raise Conflict(
                "Another request changed the video at the same time. Nothing was stored. Retry the "
                "request.",
                code="video.changed",
                retryable=True,
            )
        if key is not None and key == prepared.source.key and not prepared.source.fitted:
            return
        image = prepared.source.picture
        version = versions.add_image(
            cursor,
            video.session_id,
            scene,
            prompt=prompt,
            timestamp=timestamp,
            style=video.style,
            mood=video.mood,
        )
        key = MediaFolder(video.user_id, video.session_id).scene_reference(scene, version)
        # Before the commit: a row without its object must not exist.
        self.store.put(key, image.data, image.media_type)
        versions.finish_supplied_image(
            cursor, video.session_id, scene, version, key=key, size=RATIOS[ratio]
        )

    def _ratio(self, caller: Caller, name: str | None) -> str:
        """Return the default ratio of clips of the video."""
        if name is None:
            return DEFAULT_RATIO
        try:
            with self.database.transaction() as cursor:
                return videos.get(cursor, name, caller.user_id).ratio
        except NotFound:
            return DEFAULT_RATIO
