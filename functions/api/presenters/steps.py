"""Representation of the result of a run of a single step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from api.http.response import JsonResponse
from api.presenters import output
from api.schemas.steps import (
    GeneratedClip,
    GeneratedImage,
    GeneratedImages,
    GeneratedStory,
    GeneratedVideo,
    ImageLinks,
    MergeResult,
    PendingRun,
    StepResult,
    Story,
    StoryScene,
)
from api.services.links import LinkService, VideoLinks
from api.services.steps import POLL_SECONDS
from common.database import Cursor, Database, runs, scenes, videos
from common.database.runs import Run
from common.domain.caller import Caller
from common.domain.errors import Conflict, NotFound


class RunFailed(Exception):
    """The run failed; `error` is the error in its record."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"])
        self.error = error


@dataclass(frozen=True, slots=True)
class StepResults:
    """Responses to requests that run a single step."""

    database: Database
    links: LinkService

    def of(self, caller: Caller, run_id: str, address: str) -> JsonResponse:
        """Return the result of a run of the caller, or 202 while it is in progress.

        `address` is the base URL of the API. Raises NotFound, RunFailed if the run failed, and
        Conflict if it was canceled.
        """
        with self.database.transaction() as cursor:
            run = runs.get(cursor, run_id, caller.user_id)
            if not run.request:
                raise NotFound("The run was not started by a request for a single step.")
            if run.status == "succeeded":
                result = _RunResult(cursor, run, caller.user_id, self, address).build()
                return JsonResponse(200, result.model_dump_json(), video_id=run.session_id)
        if run.status == "canceled":
            raise Conflict("The run was canceled.", code="run.canceled")
        if run.error is not None:
            raise RunFailed(run.error)
        return _pending(run, caller.user_id, address)


def _pending(run: Run, user_id: str, address: str) -> JsonResponse:
    pending = PendingRun(
        **_common(run, user_id),
        status="running" if run.status == "running" else "queued",
        runId=run.run_id,
        statusUrl=f"{address}/api/runs/{run.run_id}",
    )
    headers = {"Location": pending.statusUrl, "Retry-After": str(POLL_SECONDS)}
    return JsonResponse(202, pending.model_dump_json(), headers, run.session_id)


def _common(run: Run, user_id: str) -> dict[str, Any]:
    request = run.request
    return {"userId": user_id, "requestId": request["requestId"], "expiresIn": request["expiresIn"]}


@dataclass(frozen=True)
class _RunResult:
    """The result of a run that succeeded."""

    cursor: Cursor
    run: Run
    user_id: str
    results: StepResults
    address: str

    def build(self) -> StepResult:
        by_kind: dict[str, Callable[[], StepResult]] = {
            "story": self._story,
            "image": self._image,
            "images": self._images,
            "clip": self._clip,
            "merge": self._merge,
            "video": self._video,
        }
        return by_kind[self.run.request["kind"]]()

    def _story(self) -> GeneratedStory:
        video = videos.get(self.cursor, self.run.session_id)
        story_scenes = [
            StoryScene(
                frame_number=frame.frame_number,
                timestamp=frame.timestamp,
                description=frame.description,
                prompt=frame.prompt,
            )
            for frame in scenes.first_version_images(self.cursor, self.run.session_id)
        ]
        story = Story(
            title=video.story_title or "",
            overview=video.story_overview or "",
            scenes=story_scenes,
        )
        return GeneratedStory(**_common(self.run, self.user_id), story=story)

    def _image(self) -> GeneratedImage:
        ((scene, version),) = self.run.work.versions.items()
        return GeneratedImage(
            **_common(self.run, self.user_id),
            **self._image_links(scene, version).model_dump(),
            totalFrames=self.run.request["totalFrames"],
        )

    def _images(self) -> GeneratedImages:
        images = [self._image_links(*item) for item in sorted(self.run.work.versions.items())]
        return GeneratedImages(
            **_common(self.run, self.user_id),
            imageUrls=[links.imageUrl for links in images],
            images=images,
            generatedCount=len(images),
            requestedCount=len(images),
            errors=[],
        )

    def _image_links(self, scene: int, version: int) -> ImageLinks:
        frame = scenes.image(self.cursor, self.run.session_id, scene, version)
        key, url = self._link(frame.image_key)
        return ImageLinks(imageUrl=url, proxyUrl=url, s3Key=key, frameIndex=scene - 1)

    def _clip(self) -> GeneratedClip:
        ((scene, version),) = self.run.work.versions.items()
        clip = scenes.clip(self.cursor, self.run.session_id, scene, version)
        key, url = self._link(clip.video_key)
        request = self.run.request
        return GeneratedClip(
            **_common(self.run, self.user_id),
            clipIndex=request["clipIndex"],
            totalClips=request["totalClips"],
            duration=request["duration"],
            s3Key=key,
            proxyUrl=url,
            videoUrl=url,
        )

    def _merge(self) -> MergeResult:
        return MergeResult(**self._merge_fields())

    def _video(self) -> GeneratedVideo:
        fields = self._merge_fields()
        return GeneratedVideo(
            **fields,
            frameCount=fields["totalClips"],
            prompt=self.run.request["prompt"],
            generatedAt=self._ended_at,
        )

    @property
    def _ended_at(self) -> datetime:
        assert self.run.ended_at is not None, "a run that succeeded has ended"
        return self.run.ended_at

    def _merge_fields(self) -> dict[str, Any]:
        final = videos.final(self.cursor, self.run.session_id)
        if final is None:
            raise NotFound("The video was deleted.")
        key, url = self._link(final.video_key)
        links = self._video_links
        return {
            **_common(self.run, self.user_id),
            "totalClips": final.total_clips,
            "duration": float(Decimal(final.duration)),
            "s3Key": key,
            "proxyUrl": url,
            "videoUrl": url,
            "output": output.output(final, links.to, links.expires_at),
            "warnings": final.warnings,
        }

    def _link(self, key: str | None) -> tuple[str, str]:
        """Return the key and a link; raises NotFound for an object that was deleted."""
        if key is None or key not in self._video_links.media:
            raise NotFound("The file was deleted.")
        return key, str(self._video_links.to(key))

    @cached_property
    def _video_links(self) -> VideoLinks:
        return self.results.links.of_video(
            self.cursor,
            self.address,
            video_id=self.run.session_id,
            user_id=self.user_id,
            seconds=self.run.request["expiresIn"],
        )
