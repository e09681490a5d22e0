"""Use cases of videos: create, get, list, download."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from secrets import randbits

from api import catalogue, present
from api.caller import Caller
from api.schemas.models import Estimate
from api.schemas.videos import CreateVideo, Download, VideoObject, VideoPage
from common import ids, pipeline, secrets
from common.database import Database, budget, jobs, runs, scenes, videos
from common.database.budget import Caps
from common.database.videos import Video, Wish
from common.errors import BudgetExceeded, Conflict, InvalidInput, TransientError
from common.log import logger
from common.observability import MetricUnit, metrics
from common.providers.models import Choice
from common.settings import ApiSettings
from common.storage import MediaFolder, MediaStore
from common.styles import mood, style
from common.video import Picture


@dataclass(frozen=True, slots=True)
class Videos:
    """The use cases, with what they work on."""

    settings: ApiSettings
    database: Database
    store: MediaStore

    def estimate(self, caller: Caller, wish: CreateVideo) -> Estimate:
        """Say what a video would cost; the wish is checked as if it were made."""
        return catalogue.estimate(self._choice(caller, wish), wish)

    def create(self, caller: Caller, wish: CreateVideo) -> VideoObject:
        """Admit a video and start its run. Whatever is refused leaves nothing behind."""
        choice = self._choice(caller, wish)
        picture = _read_picture(wish.image) if wish.image else None
        folder = MediaFolder(caller.user_id, ids.new("vid"))
        reference_key = folder.reference(1) if picture else None
        row = _row(caller, wish, choice, folder.video_id, reference_key)
        if row.max_cost_usd is not None and row.estimated_usd > row.max_cost_usd:
            raise _over_own_limit(row.estimated_usd, row.max_cost_usd)
        run_id = ids.new("run")
        with self.database.transaction() as cursor:
            if row.estimated_usd:
                budget.reserve(cursor, self._caps(caller), row.estimated_usd)
            videos.insert(cursor, row)
            runs.insert(cursor, run_id, row.session_id, "create", row.estimated_usd)
            if picture and reference_key:
                # Before the commit: a video without its picture must not exist.
                self.store.put(reference_key, picture.data, picture.media_type)
        metrics.add_metric("VideosAccepted", MetricUnit.Count, 1)
        self._start(run_id, row.session_id)
        return self.get(caller, row.session_id)

    def resume(self, caller: Caller, video_id: str) -> VideoObject:
        """Start a failed video anew over what is there; only what is missing is paid for."""
        run_id = ids.new("run")
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            if not videos.reopen(cursor, video_id):
                raise Conflict(
                    f"Only a failed video can be resumed; this one is {video.status}.",
                    code="video.not_failed",
                )
            spent = budget.committed_usd(cursor, video_id)
            missing = max(video.estimated_usd - spent, Decimal(0))
            if missing:
                budget.reserve(cursor, self._caps(caller), missing)
            runs.insert(cursor, run_id, video_id, "resume", missing)
        self._start(run_id, video_id)
        return self.get(caller, video_id)

    def get(self, caller: Caller, video_id: str) -> VideoObject:
        """Show one of the caller's videos; raises NotFound."""
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            rows = present.Rows(
                video=video,
                frames=scenes.frames(cursor, video_id),
                clips=scenes.clips(cursor, video_id),
                final=videos.final(cursor, video_id),
                charges=jobs.charges(cursor, video_id),
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

    def _start(self, run_id: str, video_id: str) -> None:
        try:
            pipeline.start(self.settings.state_machine_arn, run_id, video_id)
        except TransientError as error:
            # Accepted is accepted: the sweeper starts it within minutes.
            logger.warning("run not started", extra={"run_id": run_id, "code": error.error_code})

    def _choice(self, caller: Caller, wish: CreateVideo) -> Choice:
        style(wish.style), mood(wish.mood)
        return catalogue.choose(self.settings, self.provider_keys(), caller, wish)

    def provider_keys(self) -> Mapping[str, str]:
        """The keys of the providers that are set."""
        return secrets.read(self.settings.providers_secret_arn)

    def _caps(self, caller: Caller) -> Caps:
        return Caps(
            key_id=caller.key_id,
            daily=caller.daily_cap_usd,
            monthly=caller.monthly_cap_usd,
            all_daily=self.settings.daily_cap_usd,
        )


def _row(
    caller: Caller, wish: CreateVideo, choice: Choice, video_id: str, reference_key: str | None
) -> Wish:
    return Wish(
        session_id=video_id,
        user_id=caller.user_id,
        original_prompt=wish.prompt,
        frame_count=wish.scenes,
        clip_seconds=wish.seconds,
        ratio=wish.ratio,
        style=style(wish.style).name,
        mood=mood(wish.mood).name,
        seed=randbits(32) if wish.seed is None else wish.seed,
        reference_key=reference_key,
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
            reference=reference_key is not None,
        ),
        key_id=caller.key_id,
        max_cost_usd=wish.max_cost,
        on_unknown=wish.on_unknown,
        metadata=wish.metadata,
    )


def _read_picture(text: str) -> Picture:
    # Imported here: Pillow is only needed for requests with a picture.
    from api import pictures

    return pictures.read(text)


def _over_own_limit(estimated: Decimal, limit: Decimal) -> BudgetExceeded:
    return BudgetExceeded(
        f"This would cost about {estimated:.4f} USD, more than max_cost. Nothing was stored.",
        field="max_cost",
        allowed={"remaining_usd": f"{limit:.6f}"},
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
