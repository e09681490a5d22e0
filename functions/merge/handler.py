"""Lambda function `merge`: the state MergeClips, which merges the clips of all scenes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from common import runtime
from common.application import music
from common.application.pipeline_step import RunEvent, step
from common.database import narrations, runs, scenes, videos
from common.database.narrations import Narration
from common.database.scenes import SceneImage
from common.database.videos import FinalVideo, Video
from common.domain.errors import MediaError, NotFound
from common.domain.output import Output, Shape
from common.domain.video import RATIOS, File, Stage
from common.media.scratch import scratch
from common.schemas.output import MusicSpec, OutputSpec
from common.settings import MergeSettings
from common.storage import MediaFolder
from merge import deliverables
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import Deliverable, Deliverables, DeliverablesRequest
from merge.models import Clip

_CONCURRENT_TRANSFERS = 8

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
            request = _download_inputs(inputs, folder)
            result = deliverables.render_deliverables(request, folder)
            files = _publish(result, MediaFolder(video.user_id, video.session_id), version)
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


@dataclass(frozen=True, slots=True)
class MergeInputs:
    """The database records of a merge, and the S3 key of its music."""

    video: Video
    frames: Sequence[SceneImage]
    clips: Mapping[int, scenes.Clip]
    narrations: Mapping[int, Narration]
    music_key: str | None


def _download_inputs(inputs: MergeInputs, folder: Path) -> DeliverablesRequest:
    """Download all inputs into the folder; return the request to render them."""
    output_spec = OutputSpec.model_validate(inputs.video.output)
    stills = {frame.frame_number: frame.image_key for frame in inputs.frames}
    visual_files = {
        folder / f"clip_{n:03d}.mp4": clip.video_key for n, clip in inputs.clips.items()
    }
    if output_spec.on_broken == "still":
        visual_files |= {folder / f"still_{n:03d}.png": key for n, key in stills.items()}
    narration_keys = {
        n: narration.audio_key for n, narration in inputs.narrations.items() if narration.audio_key
    }
    audio_files = {folder / f"narration_{n:03d}.wav": key for n, key in narration_keys.items()}
    music_path = folder / "music"
    if inputs.music_key:
        audio_files[music_path] = inputs.music_key
    _download({path: key for path, key in visual_files.items() if key}, audio_files)
    clips = {
        scene: Clip(
            path=folder / f"clip_{scene:03d}.mp4",
            frames=clip.frames,
            still=still if (still := folder / f"still_{scene:03d}.png").exists() else None,
            seconds=float(clip.clip_seconds or inputs.video.clip_seconds),
        )
        for scene, clip in inputs.clips.items()
    }
    texts = {frame.frame_number: frame.description for frame in inputs.frames}
    texts |= {scene: narration.text for scene, narration in inputs.narrations.items()}
    return DeliverablesRequest(
        clips=clips,
        output=_with_frame_size(output_spec.to_output(), inputs.video),
        texts=texts,
        track=AddedAudio(
            {scene: folder / f"narration_{scene:03d}.wav" for scene in narration_keys},
            _music(output_spec.music, music_path) if output_spec.music else None,
        ),
        preview=output_spec.preview,
    )


def _music(spec: MusicSpec, path: Path) -> Music:
    return Music(
        path=path,
        volume=spec.volume,
        fade_in=spec.fade_in,
        fade_out=spec.fade_out,
        loop=spec.loop,
        duck=spec.duck,
    )


def _with_frame_size(output: Output, video: Video) -> Output:
    """Fix the frame size by the video's ratio; clips of another size are fitted into it."""
    return replace(output, shape=Shape(size=output.shape.of(RATIOS[video.ratio])))


def _download(visual_files: Mapping[Path, str], audio_files: Mapping[Path, str]) -> None:
    """Download the files. A missing clip or image is skipped, and later counts as broken.

    Raises NotFound for missing audio.
    """
    with ThreadPoolExecutor(_CONCURRENT_TRANSFERS) as pool:
        get_file = services().store.get_file
        audio_downloads = [pool.submit(get_file, key, path) for path, key in audio_files.items()]
        visual_downloads = [pool.submit(get_file, key, path) for path, key in visual_files.items()]
        for future in audio_downloads:
            future.result()
        for future in visual_downloads:
            with suppress(NotFound):
                future.result()


def _publish(result: Deliverables, folder: MediaFolder, version: int) -> list[File]:
    """Upload every file, the video last, so that a visible video has all its other files."""
    files = [
        _file(deliverable, number, folder, version)
        for number, deliverable in enumerate(result.files)
    ]
    video, *others = zip(files, result.files, strict=True)
    with ThreadPoolExecutor(_CONCURRENT_TRANSFERS) as pool:
        for future in [pool.submit(_store, file, deliverable) for file, deliverable in others]:
            future.result()
    _store(*video)
    return files


def _store(file: File, deliverable: Deliverable) -> None:
    # Without a charset, browsers may decode the text as Latin-1.
    charset = "; charset=utf-8" if file.kind == "captions" else ""
    services().store.put_file(file.key, deliverable.path, f"{file.media_type}{charset}")


def _file(deliverable: Deliverable, number: int, folder: MediaFolder, version: int) -> File:
    suffix = deliverable.path.suffix.removeprefix(".")
    keys = {
        "video": lambda: folder.final(version, suffix),
        "rendition": lambda: folder.final(version, suffix, number),
        "poster": lambda: folder.poster(version, suffix),
        "thumbnail": lambda: folder.thumbnail(deliverable.scene or 0, version),
        "preview": lambda: folder.preview(version, suffix),
        "captions": lambda: folder.captions(version, suffix),
    }
    width, height = deliverable.size or (None, None)
    return File(
        kind=deliverable.kind,
        key=keys[deliverable.kind](),
        media_type=deliverable.media_type,
        size_bytes=deliverable.size_bytes,
        sha256=deliverable.sha256,
        scene=deliverable.scene,
        width=width,
        height=height,
        seconds=deliverable.seconds,
        captioned=deliverable.captioned,
    )


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
