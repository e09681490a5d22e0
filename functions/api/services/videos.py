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
    """The use cases of videos."""

    admission: Admission
    database: Database
    links: LinkService
    console: Console = field(default_factory=Console)

    def estimate(self, caller: Caller, request: CreateVideoRequest) -> Estimate:
        """Return the estimated cost of a video; the request is validated as for `create`."""
        return models.estimate(self.admission.choice(caller, request), request)

    def create(
        self, caller: Caller, request: CreateVideoRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Admit a video and start its run. A refused request stores nothing."""
        admitted = self.admission.check(caller, request, idempotency.new_id)
        with self.database.transaction() as cursor:
            if cached := idempotency.claim(cursor):
                return cached
            self.admission.keep(cursor, caller, admitted)
            # A new video has no other rows yet.
            rows = video_presenter.Rows(videos.get(cursor, admitted.row.session_id))
            response = self._accepted(cursor, rows, idempotency)
        self.admission.start(admitted.run_id, admitted.row.session_id)
        return response

    def resume(
        self,
        caller: Caller,
        video_id: str,
        changes: ResumeVideoRequest,
        idempotency: IdempotentRequest,
    ) -> JsonResponse:
        """Start a run that generates what is missing from a video; only that is charged."""
        run_id = idempotency.new_id("run")
        with self.database.transaction() as cursor:
            if cached := idempotency.claim(cursor):
                return cached
            resumed = self.admission.resume(cursor, caller, video_id, run_id, changes)
            rows = _rows(cursor, videos.get(cursor, resumed.video_id))
            response = self._accepted(cursor, rows, idempotency)
        self.admission.start(run_id, resumed.video_id, resumed.work)
        return response

    def get(self, caller: Caller, video_id: str, address: str) -> VideoObject:
        """Return one of the caller's videos; raises NotFound.

        `address` is the base URL of the API.
        """
        # A snapshot: a story inserted between two queries would give frames without clips.
        with self.database.snapshot() as cursor:
            rows = _rows(cursor, videos.get(cursor, video_id, caller.user_id))
            links = self._links(cursor, rows.video.session_id, rows.video.user_id, address)
        return video_presenter.full(rows, links.to, self.console, links.expires_at)

    def show(self, caller: Caller, video_id: str, address: str) -> JsonResponse:
        """Return one of the caller's videos; with Retry-After while it is in progress."""
        video = self.get(caller, video_id, address)
        headers = {} if video.completed_at else {"Retry-After": str(POLL_SECONDS)}
        return JsonResponse(200, video.model_dump_json(), headers, video.id)

    def with_links(self, response: JsonResponse, address: str) -> JsonResponse:
        """Return a response of `create` or `resume` with signed links in place of S3 keys."""
        body = json.loads(response.body)
        with self.database.transaction() as cursor:
            links = self._links(cursor, body["id"], body["user_id"], address)
        if body["output"]:
            body["output"]["expires_at"] = links.expires_at.isoformat().replace("+00:00", "Z")
        return replace(response, body=json.dumps(_linked(body, links), separators=(",", ":")))

    def download(self, caller: Caller, video_id: str, address: str) -> Download:
        """Return a download link to the finished video; raises Conflict if it is not finished."""
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
        """Return the file name for the download of a file of the video."""
        with self.database.transaction() as cursor:
            return _filename(videos.get(cursor, video_id), key)

    def _links(self, cursor: Cursor, video_id: str, user_id: str, address: str) -> VideoLinks:
        return self.links.of_video(cursor, address, video_id=video_id, user_id=user_id)

    def _accepted(
        self, cursor: Cursor, rows: video_presenter.Rows, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Return 202, and store the response for its idempotency key.

        The response has S3 keys in place of links, so that the stored copy grants no access and a
        retry gets fresh links.
        """
        video = video_presenter.full(rows, _key_as_link, self.console)
        headers = {"Location": video.links.self, "Retry-After": str(POLL_SECONDS)}
        response = JsonResponse(202, video.model_dump_json(), headers, rows.video.session_id)
        idempotency.keep(cursor, response)
        return response


def _rows(cursor: Cursor, video: Video) -> video_presenter.Rows:
    return video_presenter.Rows(
        video=video,
        frames=scenes.images(cursor, video.session_id),
        clips=scenes.clips(cursor, video.session_id),
        final=videos.final(cursor, video.session_id),
        charges=attempts.by_step(cursor, video.session_id),
        waits=provider_queue.of_run(cursor, video.run_id) if video.status == Status.RUNNING else (),
        narrations=narrations.of_video(cursor, video.session_id),
    )


def _unfinished(status: str) -> str:
    """Return why there is no finished video, and what to do."""
    if status == "succeeded":
        return (
            "The clips of this video were not merged yet. Merge them first "
            "(/api/merge_video_clips)."
        )
    if status in TERMINAL:
        return f"The video is not finished; it is {status}. Resume it to generate what is missing."
    return f"The video is not finished; it is {status}. Wait until it ends."


def _key_as_link(key: str | None) -> str | None:
    return key


def _linked(value: Any, links: VideoLinks) -> Any:
    """Return the JSON of a video with S3 keys replaced by signed links."""
    if isinstance(value, list):
        return [_linked(item, links) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inner
        if name == "metadata"  # values of the client
        else _link_to(inner, links)
        if name.endswith("url")
        else _linked(inner, links)
        for name, inner in value.items()
    }


def _link_to(key: str | None, links: VideoLinks) -> str | None:
    # Responses stored by an earlier release contain presigned URLs, which are dropped.
    return None if key is None or "://" in key else links.to(key)


def _filename(video: Video, key: str) -> str:
    return f"{_plain(video.story_title or video.session_id)}.{key.rpartition('.')[2]}"


_MAX_NAME_BYTES = 200  # file systems allow 255


def _plain(title: str) -> str:
    """Return the title as a portable file name.

    It has letters, digits and marks of any script, `-`, `_` and `.`, and at most 80 characters.
    """
    composed = unicodedata.normalize("NFC", title).replace("\u200c", "").replace("\u200d", "")
    words = "".join(c if c in "_.-" or _is_word_character(c) else " " for c in composed)
    name = "-".join(words.split()).strip("-.")
    while len(name) > 80 or len(name.encode()) > _MAX_NAME_BYTES:
        name = name[:-1]
    return name.strip("-.") or "video"


def _is_word_character(character: str) -> bool:
    """Return whether it is a letter, digit or mark, such as a vowel sign of Hindi or Thai."""
    return unicodedata.category(character)[0] in "LMN"
