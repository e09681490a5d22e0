"""Use cases of the endpoints that make one part of a video: a run of its own for each.

Whatever a request needs from elsewhere (a picture at a URL) is fetched and decoded first. Then one
transaction finds or makes the video that `requestId` names, writes down what is to be made, and
reserves its cost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from api.http.idempotency import IdempotentRequest
from api.http.response import JsonResponse
from api.schemas.steps import (
    NEW_MOOD,
    NEW_SCENES,
    NEW_STYLE,
    ClipRequest,
    ImageRequest,
    ImagesRequest,
    MergeRequest,
    PendingRun,
    StepRequest,
    StoryRequest,
    StyleFields,
    VideoRequest,
)
from api.services.scene_images import DEFAULT_RATIO, SceneImages
from common.application import music, scene_changes
from common.application.admission import OWN_IDS, Admission, ResumePlan
from common.application.image_inputs import ImageInputs, ResolvedImage
from common.application.model_selection import clip_durations, models_of
from common.database import Cursor, Database, runs, scenes, versions, videos
from common.database.videos import VideoRecord
from common.domain import merge_estimate
from common.domain.caller import Caller
from common.domain.errors import Conflict, InvalidInput, NotFound
from common.domain.merge_estimate import Merge
from common.domain.styles import mood, style
from common.domain.video import RATIOS, EncodedImage, RunScope, RunTarget
from common.providers import prompts
from common.schemas.output import MergeSpec, OutputSpec
from common.schemas.requests import CreateVideoRequest
from common.storage import MediaFolder, MediaStore

POLL_SECONDS = 2
_CLIP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class StepService:
    """The use cases, with what they work on."""

    admission: Admission
    database: Database
    store: MediaStore
    references: ImageInputs
    pictures: SceneImages

    def story(self, caller: Caller, wish: StoryRequest, once: IdempotentRequest) -> JsonResponse:
        """Write the story of a video, once."""

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            if videos.has_story(cursor, video.session_id):
                raise Conflict(
                    "This video has its story. For another one, name another requestId.",
                    code="story.exists",
                )
            video = _retold(cursor, video, wish)
            count = wish.frameCount or NEW_SCENES
            if runs.has_whole(cursor, video.session_id):
                known = videos.scene_count(cursor, video.session_id)
                count = max(wish.frameCount or known, known)
            usd = models_of(video).text.story_usd(count)
            return ResumePlan(RunTarget(RunScope.STORY), usd, _said("story", wish, video), count)

        def new() -> VideoRecord:
            count = wish.frameCount or NEW_SCENES
            seconds = self._nearest(caller, wish.duration / count)
            return self._new(caller, wish, once, scenes=count, seconds=seconds)

        return self._begin(caller, wish, once, new, plan)

    def image(self, caller: Caller, wish: ImageRequest, once: IdempotentRequest) -> JsonResponse:
        """Paint the picture of one scene."""
        reference = self._source(caller, wish.image, "image")
        scene = wish.frameIndex + 1

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            total = _total(cursor, video, scene, wish.totalFrames, "frameIndex")
            work, usd = self._paint(cursor, video, wish, wish.prompt, [scene], reference)
            said = {"frameIndex": wish.frameIndex, "totalFrames": total}
            return ResumePlan(work, usd, _said("image", wish, video, **said), total)

        def new() -> VideoRecord:
            return self._new(caller, wish, once, scenes=wish.totalFrames or scene)

        return self._begin(caller, wish, once, new, plan)

    def images(self, caller: Caller, wish: ImagesRequest, once: IdempotentRequest) -> JsonResponse:
        """Paint several pictures of one prompt."""
        reference = self._source(caller, wish.image, "image")
        numbers = range(1, wish.numImages + 1)

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            work, usd = self._paint(cursor, video, wish, wish.prompt, numbers, reference)
            total = max(_total(cursor, video, 1, wish.numImages, "numImages"), wish.numImages)
            return ResumePlan(work, usd, _said("images", wish, video), total)

        def new() -> VideoRecord:
            return self._new(caller, wish, once, scenes=wish.numImages)

        return self._begin(caller, wish, once, new, plan)

    def clip(self, caller: Caller, wish: ClipRequest, once: IdempotentRequest) -> JsonResponse:
        """Set the picture of one scene in motion."""
        scene, named = wish.clipIndex + 1, {"startImage": wish.startImage or ""}
        where = (wish.requestId, wish.frameAspectRatio)
        prepared = (
            self.pictures.given(caller, named, *where)[0]
            if wish.startImage
            else self.pictures.of_scene(caller, where[0], scene, where[1])
        )

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            total = _total(cursor, video, scene, wish.totalClips, "clipIndex")
            ratio, seconds = _form(video, wish.frameAspectRatio, wish.duration)
            self.pictures.keep(
                cursor,
                video,
                scene,
                prepared,
                ratio,
                prompt=wish.prompt,
                timestamp=_timestamp(video, scene),
                given=bool(wish.startImage),
            )
            version = _clip(cursor, video, scene, wish.prompt, ratio, seconds)
            said = {"clipIndex": wish.clipIndex, "totalClips": total, "duration": seconds}
            usd = models_of(video).video.clip_usd(seconds)
            work = RunTarget(RunScope.CLIP, {scene: version})
            return ResumePlan(work, usd, _said("clip", wish, video, **said), total)

        def new() -> VideoRecord:
            return self._new(
                caller,
                wish,
                once,
                scenes=wish.totalClips or scene,
                seconds=wish.duration,
                ratio=wish.frameAspectRatio,
            )

        return self._begin(caller, wish, once, new, plan)

    def video(self, caller: Caller, wish: VideoRequest, once: IdempotentRequest) -> JsonResponse:
        """Set pictures in motion and join them."""
        named = {f"images.{place}": text for place, text in enumerate(wish.images)}
        given = self.pictures.given(caller, named, wish.requestId, wish.frameAspectRatio)

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            ratio, seconds = _form(video, wish.frameAspectRatio, wish.duration)
            made = {}
            for scene, picture in enumerate(given, 1):
                self.pictures.keep(
                    cursor,
                    video,
                    scene,
                    picture,
                    ratio,
                    prompt=wish.prompt,
                    timestamp=_timestamp(video, scene),
                )
                made[scene] = _clip(cursor, video, scene, wish.prompt, ratio, seconds)
            usd = len(made) * models_of(video).video.clip_usd(seconds)
            said = _said("video", wish, video, prompt=wish.prompt)
            return ResumePlan(RunTarget(RunScope.VIDEO, made), usd, said, len(made))

        def new() -> VideoRecord:
            return self._new(caller, wish, once, scenes=len(given), seconds=wish.duration)

        return self._begin(caller, wish, once, new, plan)

    def merge(self, caller: Caller, wish: MergeRequest, once: IdempotentRequest) -> JsonResponse:
        """Join the newest clips of a video; raises InvalidInput for what cannot be made of them."""
        if wish.output:
            wish.output.to_output()

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            # An earlier cut of fewer clips counts as the whole video until another is asked for.
            known = (clip.clip_number for clip in scenes.clips(cursor, video.session_id))
            total = wish.totalClips or max((video.frame_count, *known))
            there = scenes.finished_clips(cursor, video.session_id)
            if missing := [n - 1 for n in range(1, total + 1) if n not in there]:
                raise Conflict(
                    f"Clips are missing: clipIndex {', '.join(map(str, missing))} of {total}. "
                    "Make them first (/api/generate_single_video_clip).",
                    code="merge.missing_clip",
                )
            output = _output(cursor, video, wish.output) if wish.output else None
            durations = [float(clip.clip_seconds or video.clip_seconds) for clip in there.values()]
            wished = OutputSpec.model_validate(video.output if output is None else output)
            average = sum(durations) / len(durations)
            merge_estimate.check(Merge(wished.to_output(), RATIOS[video.ratio], total, average))
            said = _said("merge", wish, video)
            return ResumePlan(RunTarget(RunScope.MERGE), Decimal(0), said, total, output)

        return self._begin(caller, wish, once, None, plan)

    def _begin(
        self,
        caller: Caller,
        wish: StepRequest,
        once: IdempotentRequest,
        new: Callable[[], VideoRecord] | None,
        plan: Callable[[Cursor, VideoRecord], ResumePlan],
    ) -> JsonResponse:
        run_id = once.new_id("run")
        # A new video is checked against the models of the stage, one that exists has its own.
        row = None if new is None or self._exists(caller, wish.requestId) else new()
        with self.database.transaction() as cursor:
            if kept := once.claim(cursor):
                return kept
            video = _find_or_make(cursor, caller, wish.requestId, row)
            made = plan(cursor, video)
            self.admission.persist_step(cursor, caller, video, run_id, made)
            answer = _accepted(video, run_id, wish)
            once.keep(cursor, answer)
        self.admission.start(run_id, video.session_id, made.work)
        return answer

    def _new(
        self,
        caller: Caller,
        wish: StyleFields | ClipRequest,
        once: IdempotentRequest,
        *,
        scenes: int,
        seconds: int | None = None,
        ratio: str | None = None,
    ) -> VideoRecord:
        """Return the row of the video that begins with this part; raises InvalidInput."""
        look = {}
        if isinstance(wish, StyleFields):
            look = {"style": wish.style or NEW_STYLE, "mood": wish.mood or NEW_MOOD}
        asked = CreateVideoRequest.model_validate(
            {
                "prompt": wish.prompt,  # type: ignore[union-attr]  # every one of them has a prompt
                "scenes": scenes,
                "seconds": seconds or self._nearest(caller, _CLIP_SECONDS),
                "ratio": ratio or wish.frameAspectRatio or DEFAULT_RATIO,
                "requestId": wish.requestId,
                **look,
            }
        )
        row = self.admission.check(caller, asked, once.new_id).row
        return replace(row, estimated_usd=Decimal(0))

    def _exists(self, caller: Caller, name: str | None) -> bool:
        """Say whether the name is that of a video; an id is never the name of a new one."""
        if name is None or name.startswith(OWN_IDS):
            return name is not None
        with self.database.transaction() as cursor:
            return videos.exists(cursor, caller.user_id, name)

    def _nearest(self, caller: Caller, seconds: float) -> int:
        """Return the length of a clip that is nearest to the one that is wished."""
        possible = clip_durations(self.admission.settings, self.admission.provider_keys(), caller)
        return min(possible, key=lambda length: (abs(length - seconds), length))

    def _source(self, caller: Caller, text: str | None, named: str) -> ResolvedImage | None:
        return self.references.read(caller.user_id, text, named) if text else None

    def _paint(
        self,
        cursor: Cursor,
        video: VideoRecord,
        wish: StyleFields,
        prompt: str,
        numbers: Sequence[int],
        reference: ResolvedImage | None,
    ) -> tuple[RunTarget, Decimal]:
        """Write down pictures to be painted; return the work, and what it will cost."""
        _check_ratio(video, wish)
        look, feeling = style(wish.style or video.style), mood(wish.mood or video.mood)
        painted = scenes.finished_frames(cursor, video.session_id)
        has_reference = reference is not None or video.reference_key is not None
        made, usd = {}, Decimal(0)
        for scene in numbers:
            version = versions.add_frame(
                cursor,
                video.session_id,
                scene,
                prompt=prompts.frame(prompt, look, feeling),
                timestamp=_timestamp(video, scene),
                style=look.name,
                mood=feeling.name,
                description=prompt,
            )
            if reference is not None:
                key = _folder(video).scene_reference(scene, version)
                versions.add_reference(cursor, video.session_id, scene, version, key)
                self._keep(key, reference.picture)
            follows = scene != 1 and 1 in painted
            usd += models_of(video).image.image_usd(
                video.ratio, anchor=follows, reference=has_reference
            )
            made[scene] = version
        return RunTarget(RunScope.IMAGE, made), usd

    def _keep(self, key: str, picture: EncodedImage) -> None:
        # Before the commit: a row without its picture must not exist.
        self.store.put(key, picture.data, picture.media_type)


def _find_or_make(
    cursor: Cursor, caller: Caller, name: str | None, new: VideoRecord | None
) -> VideoRecord:
    """Return the video, locked; whoever else makes one of the same name waits, and finds it."""
    if new is not None and videos.insert(cursor, new):
        return new
    found = videos.lock(cursor, caller.user_id, name) if name else None
    if found is None:
        raise NotFound("There is no such video.")
    return found


def _retold(cursor: Cursor, video: VideoRecord, wish: StoryRequest) -> VideoRecord:
    """Return the video as this request wants its story told; the row is changed with it."""
    _check_ratio(video, wish)
    changed = replace(
        video,
        original_prompt=wish.prompt,
        style=style(wish.style or video.style).name,
        mood=mood(wish.mood or video.mood).name,
    )
    if changed != video:
        again = video.on_unknown == "resubmit_once"
        scene_changes.check_prompt(cursor, video, RunTarget(RunScope.STORY), again=again)
        videos.update(cursor, changed)
    return changed


def _total(cursor: Cursor, video: VideoRecord, scene: int, named: int | None, field: str) -> int:
    """Return how many scenes the video has with this one.

    A video that was ordered as a whole never gets fewer, and new scenes follow its last one: it
    is finished with all of them. Raises InvalidInput for a scene that would leave a gap.
    """
    if not runs.has_whole(cursor, video.session_id):
        return named or max(video.frame_count, scene)
    count = videos.scene_count(cursor, video.session_id)
    if scene > count + 1:
        raise InvalidInput(
            f"The video has {count} scenes; a new one has the index {count}.",
            field=field,
            allowed=[*range(count + 1)],
        )
    return max(count, scene)


def _check_ratio(video: VideoRecord, wish: StyleFields) -> None:
    if wish.frameAspectRatio not in (None, video.ratio):
        raise InvalidInput(
            f"The pictures of this video are {video.ratio}.",
            field="frameAspectRatio",
            allowed=[video.ratio],
        )


def _form(video: VideoRecord, ratio: str | None, seconds: int | None) -> tuple[str, int]:
    """Ratio and length of a clip; raises InvalidInput for what the video's model cannot make."""
    model = models_of(video).video
    ratio, seconds = ratio or video.ratio, seconds or video.clip_seconds
    if ratio not in model.ratios:
        raise InvalidInput(
            f"{model.model} does not make the ratio {ratio}.",
            field="frameAspectRatio",
            allowed=list(model.ratios),
        )
    if seconds not in model.seconds:
        raise InvalidInput(
            f"{model.model} does not make clips of {seconds} seconds.",
            field="duration",
            allowed=list(model.seconds),
        )
    return ratio, seconds


def _clip(
    cursor: Cursor, video: VideoRecord, scene: int, prompt: str, ratio: str, seconds: int
) -> int:
    return versions.add_clip(
        cursor, video.session_id, scene, prompt=prompt, ratio=ratio, clip_seconds=seconds
    )


def _output(cursor: Cursor, video: VideoRecord, wish: MergeSpec) -> dict[str, Any]:
    """Return what the video shall be like from now on; it stays narrated if it is."""
    if wish.music:
        music.find(cursor, wish.music, video.user_id)
    kept = {name: video.output[name] for name in ("narration",) if name in video.output}
    return wish.model_dump(mode="json", exclude_defaults=True) | kept


def _folder(video: VideoRecord) -> MediaFolder:
    return MediaFolder(video.user_id, video.session_id)


def _timestamp(video: VideoRecord, scene: int) -> str:
    minutes, seconds = divmod((scene - 1) * video.clip_seconds, 60)
    return f"{minutes}:{seconds:02d}"


def _said(kind: str, wish: StepRequest, video: VideoRecord, **more: Any) -> Mapping[str, Any]:
    """Return what the answer repeats of the request."""
    name = video.request_id or video.session_id
    return {"kind": kind, "requestId": name, "expiresIn": wish.expiresIn, **more}


def _accepted(video: VideoRecord, run_id: str, wish: StepRequest) -> JsonResponse:
    pending = PendingRun(
        userId=video.user_id,
        requestId=video.request_id or video.session_id,
        expiresIn=wish.expiresIn,
        status="queued",
        runId=run_id,
        statusUrl=f"/api/runs/{run_id}",
    )
    headers = {"Location": pending.statusUrl, "Retry-After": str(POLL_SECONDS)}
    return JsonResponse(202, pending.model_dump_json(), headers, video.session_id)
