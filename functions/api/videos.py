"""Use cases of videos: create, get, list, download."""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass

from api import present
from api.caller import Caller
from api.schemas import CreateVideo, Download, VideoObject, VideoPage
from common import ids, pipeline
from common.database import Database, jobs, runs, scenes, videos
from common.database.videos import Video, Wish
from common.errors import Conflict, InvalidInput, TransientError
from common.log import logger
from common.observability import MetricUnit, metrics
from common.providers import models
from common.providers.models import Choice
from common.settings import ApiSettings
from common.storage import MediaFolder, MediaStore
from common.styles import mood, style


@dataclass(frozen=True, slots=True)
class Videos:
    """The use cases, with what they work on."""

    settings: ApiSettings
    database: Database
    store: MediaStore

    def create(self, caller: Caller, wish: CreateVideo) -> VideoObject:
        """Admit a video and start its run. Whatever is refused leaves nothing behind."""
        row = self._admit(caller, wish)
        run_id = ids.new("run")
        with self.database.transaction() as cursor:
            videos.insert(cursor, row)
            runs.insert(cursor, run_id, row.session_id, "create")
        metrics.add_metric("VideosAccepted", MetricUnit.Count, 1)
        try:
            pipeline.start(self.settings.state_machine_arn, run_id, row.session_id)
        except TransientError as error:
            # Accepted is accepted: the sweeper starts it within minutes.
            logger.warning("run not started", extra={"run_id": run_id, "code": error.error_code})
        return self.get(caller, row.session_id)

    def get(self, caller: Caller, video_id: str) -> VideoObject:
        """Show one of the caller's videos; raises NotFound."""
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            rows = present.Rows(
                video=video,
                frames=scenes.frames(cursor, video_id),
                clips=scenes.clips(cursor, video_id),
                final=videos.final(cursor, video_id),
                spent_usd=jobs.actual_usd(cursor, video_id),
            )
        return present.full(rows, self.store)

    def page(self, caller: Caller, limit: int, cursor: str | None) -> VideoPage:
        """Show the caller's videos, newest first."""
        before = _row_id(cursor) if cursor else None
        with self.database.transaction() as sql:
            found = videos.page(sql, caller.user_id, limit=limit + 1, before=before)
            shown = found[:limit]
            data = [
                present.summary(
                    video,
                    videos.final(sql, video.session_id),
                    jobs.actual_usd(sql, video.session_id),
                )
                for video in shown
            ]
        more = len(found) > limit
        return VideoPage(data=data, next_cursor=_cursor(shown[-1]) if more else None)

    def download(self, caller: Caller, video_id: str) -> Download:
        """Return a fresh link to the finished video; raises Conflict before there is one."""
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            final = videos.final(cursor, video_id)
        if final is None:
            raise Conflict(
                f"The video is not finished; it is {video.status}.", code="video.not_finished"
            )
        filename = f"{_plain(video.story_title or video.session_id)}.mp4"
        return Download(
            url=self.store.link(final.video_key, seconds=present.LINK_SECONDS, filename=filename),
            expires_at=present.expiry(),
            filename=filename,
            size_bytes=final.size_bytes,
            sha256=final.sha256,
        )

    def _admit(self, caller: Caller, wish: CreateVideo) -> Wish:
        """Check the wish against styles and models, store its picture, and return the row."""
        choice = self._choice(caller)
        _check_models(choice, wish)
        folder = MediaFolder(caller.user_id, ids.new("vid"))
        look, feeling = style(wish.style), mood(wish.mood)
        return Wish(
            session_id=folder.video_id,
            user_id=caller.user_id,
            original_prompt=wish.prompt,
            frame_count=wish.scenes,
            clip_seconds=wish.seconds,
            ratio=wish.ratio,
            style=look.name,
            mood=feeling.name,
            seed=secrets.randbits(32) if wish.seed is None else wish.seed,
            reference_key=self._keep_picture(folder, wish.image) if wish.image else None,
            text_provider=choice.text.provider,
            text_model=choice.text.model,
            image_provider=choice.image.provider,
            image_model=choice.image.model,
            video_provider=choice.video.provider,
            video_model=choice.video.model,
            estimated_usd=choice.estimate_usd(
                scenes=wish.scenes,
                seconds=wish.seconds,
                ratio=wish.ratio,
                reference=wish.image is not None,
            ),
            metadata=wish.metadata,
        )

    def _choice(self, caller: Caller) -> Choice:
        """Return the stage's models; for a test key always those that cost nothing."""
        if not caller.live:
            return models.offline()
        return Choice(
            models.find("text", self.settings.text_provider),
            models.find("image", self.settings.image_provider),
            models.find("video", self.settings.video_provider),
        )

    def _keep_picture(self, folder: MediaFolder, text: str) -> str:
        # Imported here: Pillow is only needed for requests with a picture.
        from api import pictures

        picture = pictures.read(text)
        key = folder.reference(1)
        self.store.put(key, picture.data, picture.media_type)
        return key


def _check_models(choice: Choice, wish: CreateVideo) -> None:
    if wish.seconds not in choice.video.seconds:
        allowed = list(choice.video.seconds)
        raise InvalidInput(
            f"{choice.video.model} makes clips of {allowed[0]} to {allowed[-1]} seconds.",
            field="seconds",
            allowed=allowed,
        )
    for model in (choice.image, choice.video):
        if wish.ratio not in model.ratios:
            raise InvalidInput(
                f"{model.model} does not make the ratio {wish.ratio}.",
                field="ratio",
                allowed=list(model.ratios),
            )


def _plain(title: str) -> str:
    """Return the title as a file name that every system takes."""
    return re.sub(r"[^\w.-]+", "-", title).strip("-.")[:80] or "video"


def _cursor(video: Video) -> str:
    return base64.urlsafe_b64encode(str(video.id).encode()).decode().rstrip("=")


def _row_id(cursor: str) -> int:
    try:
        number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        number = ""
    if not number.isdecimal() or len(number) > 18:
        raise InvalidInput("The cursor is not one that this API gave out.", field="cursor")
    return int(number)
