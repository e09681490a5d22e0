"""Use cases of videos: create, get, list, download."""

import json
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from api.http.idempotency import IdempotentRequest
from api.http.response import JsonResponse
from api.presenters import video as video_presenter
from api.presenters.console import Console
from api.schemas.models import Estimate
from api.schemas.videos import Download, VideoObject
from api.services import models
from api.services.links import LinkService, VideoLinks
from common.application.admission import Admission
from common.database import Cursor, Database, attempts, narrations, provider_queue, scenes, videos
from common.database.videos import Video
from common.domain.caller import Caller
from common.domain.errors import Conflict
from common.domain.video import TERMINAL, Status
from common.schemas.requests import CreateVideoRequest, ResumeVideoRequest

POLL_SECONDS = 2


@dataclass(frozen=True, slots=True)
class VideoService:
    """The use cases, with what they work on."""

    admission: Admission
    database: Database
    links: LinkService
    console: Console = field(default_factory=Console)

    def estimate(self, caller: Caller, wish: CreateVideoRequest) -> Estimate:
        """Say what a video would cost; the wish is checked as if it were made."""
        return models.estimate(self.admission.choice(caller, wish), wish)

    def create(
        self, caller: Caller, wish: CreateVideoRequest, once: IdempotentRequest
    ) -> JsonResponse:
        """Admit a video and start its run. Whatever is refused leaves nothing behind."""
        order = self.admission.check(caller, wish, once.new_id)
        with self.database.transaction() as cursor:
            if kept := once.claim(cursor):
                return kept
            self.admission.keep(cursor, caller, order)
            made = video_presenter.Rows(
                videos.get(cursor, order.row.session_id)
            )  # nothing more yet
            answer = self._accepted(cursor, made, once)
        self.admission.start(order.run_id, order.row.session_id)
        return answer

    def resume(
        self, caller: Caller, video_id: str, terms: ResumeVideoRequest, once: IdempotentRequest
    ) -> JsonResponse:
        """Start a run that makes what a video lacks; only that is paid for."""
        run_id = once.new_id("run")
        with self.database.transaction() as cursor:
            if kept := once.claim(cursor):
                return kept
            reopened = self.admission.resume(cursor, caller, video_id, run_id, terms)
            made = _rows(cursor, videos.get(cursor, reopened.video_id))
            answer = self._accepted(cursor, made, once)
        self.admission.start(run_id, reopened.video_id, reopened.work)
        return answer

    def get(self, caller: Caller, video_id: str, address: str) -> VideoObject:
        """Show one of the caller's videos; raises NotFound. `address` is the API's own."""
        # Of one moment: a story may come in meanwhile, and frames without clips are no scenes.
        with self.database.snapshot() as cursor:
            rows = _rows(cursor, videos.get(cursor, video_id, caller.user_id))
            links = self._links(cursor, rows.video.session_id, rows.video.user_id, address)
        return video_presenter.full(rows, links.to, self.console, links.expires_at)

    def show(self, caller: Caller, video_id: str, address: str) -> JsonResponse:
        """Answer with one of the caller's videos; while it is made, with when to look again."""
        video = self.get(caller, video_id, address)
        headers = {} if video.completed_at else {"Retry-After": str(POLL_SECONDS)}
        return JsonResponse(200, video.model_dump_json(), headers, video.id)

    def with_links(self, answer: JsonResponse, address: str) -> JsonResponse:
        """Return an answer of `create` or `resume` with links in place of keys, as it is sent."""
        body = json.loads(answer.body)
        with self.database.transaction() as cursor:
            links = self._links(cursor, body["id"], body["user_id"], address)
        if body["output"]:
            body["output"]["expires_at"] = links.expires_at.isoformat().replace("+00:00", "Z")
        return replace(answer, body=json.dumps(_linked(body, links), separators=(",", ":")))

    def download(self, caller: Caller, video_id: str, address: str) -> Download:
        """Return a fresh link to the finished video; raises Conflict before there is one."""
        with self.database.transaction() as cursor:
            video = videos.get(cursor, video_id, caller.user_id)
            final = videos.final(cursor, video.session_id)
            links = self._links(cursor, video.session_id, caller.user_id, address)
        if final is None:
            raise Conflict(_unfinished(video.status), code="video.not_finished")
        return Download(
            url=f"{links.to(final.video_key)}&download=true",
            expires_at=links.expires_at,
            filename=_filename(video, final.video_key),
            size_bytes=final.size_bytes,
            sha256=final.sha256,
        )

    def filename(self, video_id: str, key: str) -> str:
        """Return under which name a file of the video is downloaded."""
        with self.database.transaction() as cursor:
            return _filename(videos.get(cursor, video_id), key)

    def _links(self, cursor: Cursor, video_id: str, user_id: str, address: str) -> VideoLinks:
        return self.links.of_video(cursor, address, video_id=video_id, user_id=user_id)

    def _accepted(
        self, cursor: Cursor, rows: video_presenter.Rows, once: IdempotentRequest
    ) -> JsonResponse:
        """Answer that a run was accepted, and keep the answer with what was stored.

        It has the keys of files in place of links: what is kept opens nothing, and a repetition
        gets links that are fresh.
        """
        video = video_presenter.full(rows, _key_itself, self.console)
        headers = {"Location": video.links.self, "Retry-After": str(POLL_SECONDS)}
        answer = JsonResponse(202, video.model_dump_json(), headers, rows.video.session_id)
        once.keep(cursor, answer)
        return answer


def _rows(cursor: Cursor, video: Video) -> video_presenter.Rows:
    return video_presenter.Rows(
        video=video,
        frames=scenes.frames(cursor, video.session_id),
        clips=scenes.clips(cursor, video.session_id),
        final=videos.final(cursor, video.session_id),
        charges=attempts.by_step(cursor, video.session_id),
        waits=provider_queue.of_run(cursor, video.run_id) if video.status == Status.RUNNING else (),
        narrations=narrations.of_video(cursor, video.session_id),
    )


def _unfinished(status: str) -> str:
    """Say why there is no finished video, and what leads to it."""
    if status == "succeeded":
        return (
            "Only parts of the video were made. Join its clips to have one "
            "(/api/merge_video_clips)."
        )
    if status in TERMINAL:
        return f"The video is not finished; it is {status}. Resume it to make what is missing."
    return f"The video is not finished; it is {status}. Wait for its end."


def _key_itself(key: str | None) -> str | None:
    return key


def _linked(value: Any, links: VideoLinks) -> Any:
    """Return the JSON of a video with links where there are keys of files."""
    if isinstance(value, list):
        return [_linked(item, links) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inner
        if name == "metadata"  # the client's own
        else _link_to(inner, links)
        if name.endswith("url")
        else _linked(inner, links)
        for name, inner in value.items()
    }


def _link_to(key: str | None, links: VideoLinks) -> str | None:
    # What an earlier release kept holds presigned URLs.
    return None if key is None or "://" in key else links.to(key)


def _filename(video: Video, key: str) -> str:
    return f"{_plain(video.story_title or video.session_id)}.{key.rpartition('.')[2]}"


_MAX_NAME_BYTES = 200  # file systems take 255


def _plain(title: str) -> str:
    """Return the title as a file name that every system takes: letters of any script, marks, -."""
    composed = unicodedata.normalize("NFC", title).replace("\u200c", "").replace("\u200d", "")
    kept = "".join(c if c in "_.-" or _is_of_a_word(c) else " " for c in composed)
    name = "-".join(kept.split()).strip("-.")
    while len(name) > 80 or len(name.encode()) > _MAX_NAME_BYTES:
        name = name[:-1]
    return name.strip("-.") or "video"


def _is_of_a_word(character: str) -> bool:
    """Return whether it is a letter, a digit, or a mark, such as a vowel sign of Hindi or Thai."""
    return unicodedata.category(character)[0] in "LMN"
