"""The unfinished steps of a video and their estimated cost."""

from dataclasses import dataclass
from decimal import Decimal

from common.database import Cursor, budget, narrations, scenes, videos
from common.database.budget import PaidStep
from common.database.scenes import Clip, SceneImage
from common.database.videos import VideoRecord
from common.domain.models import ModelSelection
from common.domain.video import RunScope, RunTarget


@dataclass(frozen=True, slots=True)
class RemainingCost:
    """Estimated cost of a run, and of the whole video with everything that was paid before."""

    missing_usd: Decimal
    total_usd: Decimal


def estimate_remaining(
    cursor: Cursor, video: VideoRecord, work: RunTarget, choice: ModelSelection, *, again: bool
) -> RemainingCost:
    """Estimate the cost of a run with these models, given the finished steps.

    Steps that were paid for are not paid again. A call that may have been charged is only repeated,
    and counted, if the video's policy is `resubmit_once` (`again`).
    """
    steps = budget.paid_steps(cursor, video.session_id)
    paid_states = (
        budget.ACCEPTED_STATES if again else (*budget.ACCEPTED_STATES, *budget.UNKNOWN_STATES)
    )
    paid = {step: usd for step, (state, usd) in steps.items() if state in paid_states}
    missing = sum(
        (usd for step, usd in _steps(cursor, video, work, choice) if step not in paid), Decimal(0)
    )
    return RemainingCost(missing, missing + sum(paid.values(), Decimal(0)))


def _steps(
    cursor: Cursor, video: VideoRecord, work: RunTarget, choice: ModelSelection
) -> list[tuple[PaidStep, Decimal]]:
    """Return the unfinished steps of the run, each with its estimated cost."""
    if work.scope is RunScope.ALL:
        return _of_whole(cursor, video, choice)
    if work.scope is RunScope.STORY:
        return [(("story", 0, 1), choice.text.story_usd(video.frame_count))]
    frames = {(frame.frame_number, frame.version): frame for frame in _frames(cursor, video, work)}
    if work.scope is RunScope.IMAGE:
        return [
            (("image", scene, version), _image_usd(video, choice, frames[scene, version]))
            for scene, version in work.versions.items()
            if frames[scene, version].status != "succeeded"
        ]
    if work.scope in (RunScope.CLIP, RunScope.VIDEO):
        clips = [scenes.clip(cursor, video.session_id, *item) for item in work.versions.items()]
        return [
            (("clip", clip.clip_number, clip.version), _clip_usd(video, choice, clip))
            for clip in clips
            if clip.status != "succeeded"
        ]
    return []


def _frames(cursor: Cursor, video: VideoRecord, work: RunTarget) -> list[SceneImage]:
    if work.scope is not RunScope.IMAGE:
        return []
    return [scenes.image(cursor, video.session_id, *item) for item in work.versions.items()]


def _of_whole(
    cursor: Cursor, video: VideoRecord, choice: ModelSelection
) -> list[tuple[PaidStep, Decimal]]:
    """Return the unfinished steps of the whole video; a scene with a clip needs no image."""
    has_story = videos.has_story(cursor, video.session_id)
    steps = [] if has_story else [(("story", 0, 1), choice.text.story_usd(video.frame_count))]
    frames = {frame.frame_number: frame for frame in scenes.images(cursor, video.session_id)}
    clips = {clip.clip_number: clip for clip in scenes.clips(cursor, video.session_id)}
    finished_images = scenes.finished_images(cursor, video.session_id)
    finished_clips = scenes.finished_clips(cursor, video.session_id)
    by_scene = narrations.of_video(cursor, video.session_id)
    for scene in range(1, video.frame_count + 1):
        frame, clip, narration = frames.get(scene), clips.get(scene), by_scene.get(scene)
        if scene not in finished_clips and scene not in finished_images:
            usd = _image_usd(video, choice, frame, scene)
            steps.append((("image", scene, frame.version if frame else 1), usd))
        if scene not in finished_clips:
            usd = _clip_usd(video, choice, clip)
            steps.append((("clip", scene, clip.version if clip else 1), usd))
        if (narration is None and not has_story) or (narration and narration.status != "succeeded"):
            steps.append((("speech", scene, 1), choice.narration_usd(video.clip_seconds)))
    return steps


def _image_usd(
    video: VideoRecord, choice: ModelSelection, frame: SceneImage | None, scene: int = 1
) -> Decimal:
    has_reference = bool(video.reference_key or (frame and frame.reference_key))
    number = frame.frame_number if frame else scene
    return choice.scene_image_usd(number, video.ratio, has_reference)


def _clip_usd(video: VideoRecord, choice: ModelSelection, clip: Clip | None) -> Decimal:
    return choice.video.clip_usd((clip and clip.clip_seconds) or video.clip_seconds)
