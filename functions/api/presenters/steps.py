"""From a run that made one part of a video to the answer of its request."""

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
    Made,
    MergeResult,
    PendingRun,
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
    """The part could not be made; `error` is what the run's record says."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"])
        self.error = error


@dataclass(frozen=True, slots=True)
class StepResults:
    """The answers, with what they are made of."""

    database: Database
    links: LinkService

    def of(self, caller: Caller, run_id: str, address: str) -> JsonResponse:
        """Answer with what a run of the caller's made, or that it is being made.

        `address` is the API's own. Raises NotFound, RunFailed, or Conflict for one that was
        canceled.
        """
        with self.database.transaction() as cursor:
            run = runs.get(cursor, run_id, caller.user_id)
            if not run.request:
                raise NotFound("The run was not started by a request for a part of a video.")
            if run.status == "succeeded":
                made = _Outcome(cursor, run, caller.user_id, self, address).made()
                return JsonResponse(200, made.model_dump_json(), video_id=run.session_id)
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
    said = run.request
    return {"userId": user_id, "requestId": said["requestId"], "expiresIn": said["expiresIn"]}


@dataclass(frozen=True)
class _Outcome:
    """One run that succeeded."""

    cursor: Cursor
    run: Run
    user_id: str
    outcomes: StepResults
    address: str

    def made(self) -> Made:
        by_kind: dict[str, Callable[[], Made]] = {
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
        told = [
            StoryScene(
                frame_number=frame.frame_number,
                timestamp=frame.timestamp,
                description=frame.description,
                prompt=frame.prompt,
            )
            for frame in scenes.first_frames(self.cursor, self.run.session_id)
        ]
        story = Story(
            title=video.story_title or "", overview=video.story_overview or "", scenes=told
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
        made = [self._image_links(*item) for item in sorted(self.run.work.versions.items())]
        return GeneratedImages(
            **_common(self.run, self.user_id),
            imageUrls=[links.imageUrl for links in made],
            images=made,
            generatedCount=len(made),
            requestedCount=len(made),
            errors=[],
        )

    def _image_links(self, scene: int, version: int) -> ImageLinks:
        frame = scenes.frame(self.cursor, self.run.session_id, scene, version)
        key, url = self._link(frame.image_key)
        return ImageLinks(imageUrl=url, proxyUrl=url, s3Key=key, frameIndex=scene - 1)

    def _clip(self) -> GeneratedClip:
        ((scene, version),) = self.run.work.versions.items()
        clip = scenes.clip(self.cursor, self.run.session_id, scene, version)
        key, url = self._link(clip.video_key)
        said = self.run.request
        return GeneratedClip(
            **_common(self.run, self.user_id),
            clipIndex=said["clipIndex"],
            totalClips=said["totalClips"],
            duration=said["duration"],
            s3Key=key,
            proxyUrl=url,
            videoUrl=url,
        )

    def _merge(self) -> MergeResult:
        return MergeResult(**self._cut())

    def _video(self) -> GeneratedVideo:
        cut = self._cut()
        return GeneratedVideo(
            **cut,
            frameCount=cut["totalClips"],
            prompt=self.run.request["prompt"],
            generatedAt=self._ended_at,
        )

    @property
    def _ended_at(self) -> datetime:
        assert self.run.ended_at is not None, "a run that succeeded has ended"
        return self.run.ended_at

    def _cut(self) -> dict[str, Any]:
        final = videos.final(self.cursor, self.run.session_id)
        if final is None:
            raise NotFound("The video is not there any more.")
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
        """Return the key and a link; raises NotFound for what was deleted meanwhile."""
        if key is None or key not in self._video_links.media:
            raise NotFound("It is not there any more.")
        return key, str(self._video_links.to(key))

    @cached_property
    def _video_links(self) -> VideoLinks:
        return self.outcomes.links.of_video(
            self.cursor,
            self.address,
            video_id=self.run.session_id,
            user_id=self.user_id,
            seconds=self.run.request["expiresIn"],
        )
