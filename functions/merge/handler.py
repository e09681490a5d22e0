"""Lambda function `merge`: the state MergeClips, which merges the clips of all scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from common import runtime
from common.application import music
from common.application.pipeline_step import RunEvent, step
from common.database import narrations, runs, scenes, videos
from common.database.narrations import Narration
from common.database.videos import FinalVideo
from common.domain.errors import MediaError
from common.domain.video import File, Stage
from common.media.scratch import scratch
from common.schemas.output import OutputSpec
from common.settings import MergeSettings
from common.storage import MediaFolder
from merge import deliverables
from merge.deliverables import Deliverables
from merge.inputs import MergeInputs, download
from merge.publish import publish

services = partial(runtime.services, MergeSettings)


@step(Stage.MERGE, RunEvent, services)
def handler(event: RunEvent) -> dict[str, Any]:
    """Merge the newest clips. Idempotent: a video that is up to date is not merged again."""
    with services().database.transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clips = scenes.finished_clips(cursor, event.video_id)
        frames = scenes.images(cursor, event.video_id)
        narrations_by_scene = narrations.of_video(cursor, event.video_id)
        music_spec = OutputSpec.model_validate(video.output).music
        music_key = music.find(cursor, music_spec, video.user_id).key if music_spec else None
        final = videos.final(cursor, event.video_id)
    scene_numbers = range(1, video.frame_count + 1)
    if missing := [scene for scene in scene_numbers if scene not in clips]:
        raise MediaError(
            f"Scenes without a finished clip: {', '.join(map(str, missing))}. Nothing was merged. "
            "Resume the video to make the missing clips.",
            code="merge.missing_clip",
        )
    clips = {scene: clips[scene] for scene in scene_numbers}
    keys = {scene: str(clip.video_key) for scene, clip in clips.items()}
    if final is None or not _is_current(final, list(keys.values()), video.output):
        version = final.version + 1 if final else 1
        with scratch("merge") as folder:
            inputs = MergeInputs(video, frames, clips, narrations_by_scene, music_key)
            request = download(inputs, services().store, folder)
            result = deliverables.render_deliverables(request, folder)
            media_folder = MediaFolder(video.user_id, video.session_id)
            files = publish(result, services().store, media_folder, version)
        final = _final_video(
            result, files, version, list(keys.values()), video.output, narrations_by_scene
        )
        with services().database.transaction() as cursor:
            videos.insert_final(cursor, event.video_id, final)
            runs.add_event(
                cursor, event.run_id, "merge.succeeded", facts={"clips": final.total_clips}
            )
    return {
        "clips": final.total_clips,
        "frames": final.frames,
        "seconds": final.duration,
        "bytes": final.size_bytes,
    }


def _is_current(final: FinalVideo, clip_keys: Sequence[str], output: Mapping[str, Any]) -> bool:
    """Return whether a merged video has these clips and these output options."""
    return final.clip_keys in (None, clip_keys) and final.output == output


def _final_video(
    result: Deliverables,
    files: list[File],
    version: int,
    clip_keys: list[str],
    output: dict[str, Any],
    narrations_by_scene: Mapping[int, Narration],
) -> FinalVideo:
    merged = result.merged
    poster = next(file for file in files if file.kind == "poster")
    return FinalVideo(
        version=version,
        video_key=files[0].key,
        poster_key=poster.key,
        total_clips=len(clip_keys),
        duration=f"{merged.seconds:.3f}",
        frames=merged.frames,
        size_bytes=merged.size_bytes,
        sha256=merged.sha256,
        clip_keys=clip_keys,
        files=[asdict(file) for file in files],
        parts=[asdict(part) for part in merged.parts],
        output=output,
        has_sound=merged.has_sound,
        warnings=[*narrations.warnings(narrations_by_scene), *result.warnings],
    )
