"""Use cases of the endpoints that run a single step of a video, each in a separate run.

External inputs of a request, such as an image at a URL, are fetched and decoded first. Then a
single transaction gets or creates the video `requestId`, inserts the rows of the step, and reserves
its cost.
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
from common.application.admission import GENERATED_ID_PREFIX, Admission, ResumePlan
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
    """The use cases of single steps."""

    admission: Admission
    database: Database
    store: MediaStore
    inputs: ImageInputs
    scene_images: SceneImages

    def story(
        self, caller: Caller, request: StoryRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Generate the story of a video; raises Conflict if it already has one."""

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            if videos.has_story(cursor, video.session_id):
                raise Conflict(
                    "This video already has a story. Use another requestId for a new story.",
                    code="story.exists",
                )
            video = _update_story_fields(cursor, video, request)
            count = request.frameCount or NEW_SCENES
            if runs.has_full_run(cursor, video.session_id):
                scene_count = videos.scene_count(cursor, video.session_id)
                count = max(request.frameCount or scene_count, scene_count)
            usd = models_of(video).text.story_usd(count)
            return ResumePlan(
                RunTarget(RunScope.STORY), usd, _request_echo("story", request, video), count
            )

        def new() -> VideoRecord:
            count = request.frameCount or NEW_SCENES
            seconds = self._nearest(caller, request.duration / count)
            return self._new(caller, request, idempotency, scenes=count, seconds=seconds)

        return self._start(caller, request, idempotency, new, plan)

    def image(
        self, caller: Caller, request: ImageRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Generate the image of a scene."""
        reference = self._reference(caller, request.image, "image")
        scene = request.frameIndex + 1

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            total = _total(cursor, video, scene, request.totalFrames, "frameIndex")
            target, usd = self._add_images(
                cursor, video, request, request.prompt, [scene], reference
            )
            fields = {"frameIndex": request.frameIndex, "totalFrames": total}
            return ResumePlan(target, usd, _request_echo("image", request, video, **fields), total)

        def new() -> VideoRecord:
            return self._new(caller, request, idempotency, scenes=request.totalFrames or scene)

        return self._start(caller, request, idempotency, new, plan)

    def images(
        self, caller: Caller, request: ImagesRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Generate several images from one prompt."""
        reference = self._reference(caller, request.image, "image")
        numbers = range(1, request.numImages + 1)

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            target, usd = self._add_images(
                cursor, video, request, request.prompt, numbers, reference
            )
            total = max(_total(cursor, video, 1, request.numImages, "numImages"), request.numImages)
            return ResumePlan(target, usd, _request_echo("images", request, video), total)

        def new() -> VideoRecord:
            return self._new(caller, request, idempotency, scenes=request.numImages)

        return self._start(caller, request, idempotency, new, plan)

    def clip(
        self, caller: Caller, request: ClipRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Generate the clip of a scene from its image."""
        scene, name, new_ratio = request.clipIndex + 1, request.requestId, request.frameAspectRatio
        texts = {"startImage": request.startImage or ""}
        prepared = (
            self.scene_images.from_request(caller, texts, name, new_ratio)[0]
            if request.startImage
            else self.scene_images.of_scene(caller, name, scene, new_ratio)
        )

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            total = _total(cursor, video, scene, request.totalClips, "clipIndex")
            ratio, seconds = _clip_format(video, request.frameAspectRatio, request.duration)
            self.scene_images.ensure_current(
                cursor,
                video,
                scene,
                prepared,
                ratio,
                prompt=request.prompt,
                timestamp=_timestamp(video, scene),
                from_request=bool(request.startImage),
            )
            version = _add_clip(cursor, video, scene, request.prompt, ratio, seconds)
            fields = {"clipIndex": request.clipIndex, "totalClips": total, "duration": seconds}
            usd = models_of(video).video.clip_usd(seconds)
            target = RunTarget(RunScope.CLIP, {scene: version})
            return ResumePlan(target, usd, _request_echo("clip", request, video, **fields), total)

        def new() -> VideoRecord:
            return self._new(
                caller,
                request,
                idempotency,
                scenes=request.totalClips or scene,
                seconds=request.duration,
                ratio=request.frameAspectRatio,
            )

        return self._start(caller, request, idempotency, new, plan)

    def video(
        self, caller: Caller, request: VideoRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Generate a clip from each image, and merge them."""
        texts = {f"images.{index}": text for index, text in enumerate(request.images)}
        images = self.scene_images.from_request(
            caller, texts, request.requestId, request.frameAspectRatio
        )

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            ratio, seconds = _clip_format(video, request.frameAspectRatio, request.duration)
            clip_versions = {}
            for scene, image in enumerate(images, 1):
                self.scene_images.ensure_current(
                    cursor,
                    video,
                    scene,
                    image,
                    ratio,
                    prompt=request.prompt,
                    timestamp=_timestamp(video, scene),
                )
                clip_versions[scene] = _add_clip(
                    cursor, video, scene, request.prompt, ratio, seconds
                )
            usd = len(clip_versions) * models_of(video).video.clip_usd(seconds)
            echo = _request_echo("video", request, video, prompt=request.prompt)
            target = RunTarget(RunScope.VIDEO, clip_versions)
            return ResumePlan(target, usd, echo, len(clip_versions))

        def new() -> VideoRecord:
            return self._new(
                caller, request, idempotency, scenes=len(images), seconds=request.duration
            )

        return self._start(caller, request, idempotency, new, plan)

    def merge(
        self, caller: Caller, request: MergeRequest, idempotency: IdempotentRequest
    ) -> JsonResponse:
        """Merge the newest clips of a video.

        Raises InvalidInput for unsupported output settings, and Conflict if clips are missing.
        """
        if request.output:
            request.output.to_output()  # validates before the transaction

        def plan(cursor: Cursor, video: VideoRecord) -> ResumePlan:
            # `frame_count` may be lower than the number of clips after a merge of fewer clips.
            clip_numbers = (clip.clip_number for clip in scenes.clips(cursor, video.session_id))
            total = request.totalClips or max((video.frame_count, *clip_numbers))
            clips = scenes.finished_clips(cursor, video.session_id)
            if missing := [n - 1 for n in range(1, total + 1) if n not in clips]:
                raise Conflict(
                    f"Clips are missing: clipIndex {', '.join(map(str, missing))} of {total}. "
                    "Generate them first (/api/generate_single_video_clip).",
                    code="merge.missing_clip",
                )
            output = _output(cursor, video, request.output) if request.output else None
            durations = [float(clip.clip_seconds or video.clip_seconds) for clip in clips.values()]
            spec = OutputSpec.model_validate(video.output if output is None else output)
            average = sum(durations) / len(durations)
            merge_estimate.check(Merge(spec.to_output(), RATIOS[video.ratio], total, average))
            echo = _request_echo("merge", request, video)
            return ResumePlan(RunTarget(RunScope.MERGE), Decimal(0), echo, total, output)

        return self._start(caller, request, idempotency, None, plan)

    def _start(
        self,
        caller: Caller,
        request: StepRequest,
        idempotency: IdempotentRequest,
        new: Callable[[], VideoRecord] | None,
        plan: Callable[[Cursor, VideoRecord], ResumePlan],
    ) -> JsonResponse:
        run_id = idempotency.new_id("run")
        # Only a new video is checked against the models of the stage: an existing one has its own.
        row = None if new is None or self._exists(caller, request.requestId) else new()
        with self.database.transaction() as cursor:
            if cached := idempotency.claim(cursor):
                return cached
            video = _get_or_create(cursor, caller, request.requestId, row)
            resume_plan = plan(cursor, video)
            self.admission.persist_step(cursor, caller, video, run_id, resume_plan)
            response = _accepted(video, run_id, request)
            idempotency.keep(cursor, response)
        self.admission.start(run_id, video.session_id, resume_plan.work)
        return response

    def _new(
        self,
        caller: Caller,
        request: StyleFields | ClipRequest,
        idempotency: IdempotentRequest,
        *,
        scenes: int,
        seconds: int | None = None,
        ratio: str | None = None,
    ) -> VideoRecord:
        """Return the row of a new video that begins with this step; raises InvalidInput."""
        look = {}
        if isinstance(request, StyleFields):
            look = {"style": request.style or NEW_STYLE, "mood": request.mood or NEW_MOOD}
        create = CreateVideoRequest.model_validate(
            {
                "prompt": request.prompt,  # type: ignore[union-attr]  # all that create a video have one
                "scenes": scenes,
                "seconds": seconds or self._nearest(caller, _CLIP_SECONDS),
                "ratio": ratio or request.frameAspectRatio or DEFAULT_RATIO,
                "requestId": request.requestId,
                **look,
            }
        )
        row = self.admission.check(caller, create, idempotency.new_id).row
        return replace(row, estimated_usd=Decimal(0))

    def _exists(self, caller: Caller, name: str | None) -> bool:
        """Return whether the video exists; True for every id, which cannot name a new video."""
        if name is None or name.startswith(GENERATED_ID_PREFIX):
            return name is not None
        with self.database.transaction() as cursor:
            return videos.exists(cursor, caller.user_id, name)

    def _nearest(self, caller: Caller, seconds: float) -> int:
        """Return the supported clip duration that is nearest to `seconds`; of two, the shorter."""
        durations = clip_durations(self.admission.settings, self.admission.provider_keys(), caller)
        return min(durations, key=lambda duration: (abs(duration - seconds), duration))

    def _reference(self, caller: Caller, text: str | None, field: str) -> ResolvedImage | None:
        return self.inputs.read(caller.user_id, text, field) if text else None

    def _add_images(
        self,
        cursor: Cursor,
        video: VideoRecord,
        request: StyleFields,
        prompt: str,
        numbers: Sequence[int],
        reference: ResolvedImage | None,
    ) -> tuple[RunTarget, Decimal]:
        """Insert a new version of the image of each scene; return the run target and its cost."""
        _check_ratio(video, request)
        new_style, new_mood = style(request.style or video.style), mood(request.mood or video.mood)
        finished = scenes.finished_images(cursor, video.session_id)
        has_reference = reference is not None or video.reference_key is not None
        image_versions, usd = {}, Decimal(0)
        for scene in numbers:
            version = versions.add_image(
                cursor,
                video.session_id,
                scene,
                prompt=prompts.single_image(prompt, new_style, new_mood),
                timestamp=_timestamp(video, scene),
                style=new_style.name,
                mood=new_mood.name,
                description=prompt,
            )
            if reference is not None:
                key = _folder(video).scene_reference(scene, version)
                versions.add_reference(cursor, video.session_id, scene, version, key)
                self._store(key, reference.picture)
            follows_first = scene != 1 and 1 in finished
            usd += models_of(video).image.image_usd(
                video.ratio, anchor=follows_first, reference=has_reference
            )
            image_versions[scene] = version
        return RunTarget(RunScope.IMAGE, image_versions), usd

    def _store(self, key: str, image: EncodedImage) -> None:
        # Before the commit: a row without its object must not exist.
        self.store.put(key, image.data, image.media_type)


def _get_or_create(
    cursor: Cursor, caller: Caller, name: str | None, new: VideoRecord | None
) -> VideoRecord:
    """Get or create the video and lock its row.

    A concurrent request that creates a video of the same name blocks, and then finds it. Raises
    NotFound if `new` is None and the video does not exist.
    """
    if new is not None and videos.insert(cursor, new):
        return new
    existing = videos.lock(cursor, caller.user_id, name) if name else None
    if existing is None:
        raise NotFound("The video does not exist.")
    return existing


def _update_story_fields(cursor: Cursor, video: VideoRecord, request: StoryRequest) -> VideoRecord:
    """Update prompt, style and mood of the video; return the updated row."""
    _check_ratio(video, request)
    changed = replace(
        video,
        original_prompt=request.prompt,
        style=style(request.style or video.style).name,
        mood=mood(request.mood or video.mood).name,
    )
    if changed != video:
        resubmit = video.on_unknown == "resubmit_once"
        scene_changes.check_prompt(cursor, video, RunTarget(RunScope.STORY), again=resubmit)
        videos.update(cursor, changed)
    return changed


def _total(
    cursor: Cursor, video: VideoRecord, scene: int, requested: int | None, field: str
) -> int:
    """Return the number of scenes of the video, including this one.

    A video that was requested as a whole is finished with all its scenes, so their number never
    decreases and a new scene must follow the last one. Raises InvalidInput for a scene that would
    leave a gap.
    """
    if not runs.has_full_run(cursor, video.session_id):
        return requested or max(video.frame_count, scene)
    count = videos.scene_count(cursor, video.session_id)
    if scene > count + 1:
        raise InvalidInput(
            f"The video has {count} scenes, so a new scene must have the index {count}.",
            field=field,
            allowed=[*range(count + 1)],
        )
    return max(count, scene)


def _check_ratio(video: VideoRecord, request: StyleFields) -> None:
    if request.frameAspectRatio not in (None, video.ratio):
        raise InvalidInput(
            f"The images of this video have the ratio {video.ratio}.",
            field="frameAspectRatio",
            allowed=[video.ratio],
        )


def _clip_format(video: VideoRecord, ratio: str | None, seconds: int | None) -> tuple[str, int]:
    """Return ratio and seconds of a clip.

    Raises InvalidInput if the model of the video does not support them.
    """
    model = models_of(video).video
    ratio, seconds = ratio or video.ratio, seconds or video.clip_seconds
    if ratio not in model.ratios:
        raise InvalidInput(
            f"{model.model} does not support the ratio {ratio}.",
            field="frameAspectRatio",
            allowed=list(model.ratios),
        )
    if seconds not in model.seconds:
        raise InvalidInput(
            f"{model.model} does not support clips of {seconds} seconds.",
            field="duration",
            allowed=list(model.seconds),
        )
    return ratio, seconds


def _add_clip(
    cursor: Cursor, video: VideoRecord, scene: int, prompt: str, ratio: str, seconds: int
) -> int:
    return versions.add_clip(
        cursor, video.session_id, scene, prompt=prompt, ratio=ratio, clip_seconds=seconds
    )


def _output(cursor: Cursor, video: VideoRecord, spec: MergeSpec) -> dict[str, Any]:
    """Return the new output settings of the video, with its narration settings unchanged."""
    if spec.music:
        music.find(cursor, spec.music, video.user_id)
    narration = {name: video.output[name] for name in ("narration",) if name in video.output}
    return spec.model_dump(mode="json", exclude_defaults=True) | narration


def _folder(video: VideoRecord) -> MediaFolder:
    return MediaFolder(video.user_id, video.session_id)


def _timestamp(video: VideoRecord, scene: int) -> str:
    minutes, seconds = divmod((scene - 1) * video.clip_seconds, 60)
    return f"{minutes}:{seconds:02d}"


def _request_echo(
    kind: str, request: StepRequest, video: VideoRecord, **fields: Any
) -> Mapping[str, Any]:
    """Return the fields of the request that the response repeats."""
    name = video.request_id or video.session_id
    return {"kind": kind, "requestId": name, "expiresIn": request.expiresIn, **fields}


def _accepted(video: VideoRecord, run_id: str, request: StepRequest) -> JsonResponse:
    pending = PendingRun(
        userId=video.user_id,
        requestId=video.request_id or video.session_id,
        expiresIn=request.expiresIn,
        status="queued",
        runId=run_id,
        statusUrl=f"/api/runs/{run_id}",
    )
    headers = {"Location": pending.statusUrl, "Retry-After": str(POLL_SECONDS)}
    return JsonResponse(202, pending.model_dump_json(), headers, video.session_id)
