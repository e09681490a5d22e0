"""The inputs of a merge: records of the database, and their files from the media store."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from common.database import scenes
from common.database.narrations import Narration
from common.database.scenes import SceneImage
from common.database.videos import Video
from common.domain.errors import NotFound
from common.domain.output import Output, Shape
from common.domain.video import RATIOS
from common.schemas.output import MusicSpec, OutputSpec
from common.storage import CONCURRENT_TRANSFERS, MediaStore
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import DeliverablesRequest
from merge.models import Clip


@dataclass(frozen=True, slots=True)
class MergeInputs:
    """The database records of a merge, and the S3 key of its music."""

    video: Video
    frames: Sequence[SceneImage]
    clips: Mapping[int, scenes.Clip]
    narrations: Mapping[int, Narration]
    music_key: str | None


def download(inputs: MergeInputs, store: MediaStore, folder: Path) -> DeliverablesRequest:
    """Download all inputs into the folder; return the request to render them."""
    output_spec = OutputSpec.model_validate(inputs.video.output)
    image_keys = {frame.frame_number: frame.image_key for frame in inputs.frames}
    visual_files = {
        folder / f"clip_{n:03d}.mp4": clip.video_key for n, clip in inputs.clips.items()
    }
    if output_spec.on_broken == "still":
        visual_files |= {folder / f"still_{n:03d}.png": key for n, key in image_keys.items()}
    narration_keys = {
        n: narration.audio_key for n, narration in inputs.narrations.items() if narration.audio_key
    }
    audio_files = {folder / f"narration_{n:03d}.wav": key for n, key in narration_keys.items()}
    music_path = folder / "music"
    if inputs.music_key:
        audio_files[music_path] = inputs.music_key
    _fetch(store, {path: key for path, key in visual_files.items() if key}, audio_files)
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


def _fetch(
    store: MediaStore, visual_files: Mapping[Path, str], audio_files: Mapping[Path, str]
) -> None:
    """Download the files. A missing clip or image is skipped, and later counts as broken.

    Raises NotFound for missing audio.
    """
    with ThreadPoolExecutor(CONCURRENT_TRANSFERS) as pool:
        get_file = store.get_file
        audio_downloads = [pool.submit(get_file, key, path) for path, key in audio_files.items()]
        visual_downloads = [pool.submit(get_file, key, path) for path, key in visual_files.items()]
        for future in audio_downloads:
            future.result()
        for future in visual_downloads:
            with suppress(NotFound):
                future.result()
