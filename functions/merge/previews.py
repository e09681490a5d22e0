"""Posters, thumbnails and animated previews of a finished video."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.media import ffmpeg, ffmpeg_process
from merge import poster_frames
from merge.models import MergedScene, SceneTreatment
from merge.scene_windows import window

THUMBNAIL_WIDTH = 320
_WORKERS = 4
_TIMEOUT_SECONDS = 60
# A preview shows one second of up to six scenes, so its size does not grow with the video.
_PREVIEW_SCENES, _PREVIEW_SECONDS, _PREVIEW_FPS = 6, 1.0, 10
_GIF = "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=3"


def posters(video: Path, scenes: Sequence[MergedScene], scratch: Path) -> dict[str, Path]:
    """Write a poster of the video in full size as JPEG and WebP; return the paths by suffix.

    The poster is the first frame. If that is blank, it is the frame with the highest contrast of
    the first scene that has a frame that is not blank.
    """
    jpeg, webp = scratch / "poster.jpg", scratch / "poster.webp"

    def write(seconds: float) -> None:
        stream = f"0:{ffmpeg.video_index(video)}"
        ffmpeg.run(
            [
                "-ss",
                f"{seconds:.6f}",
                *ffmpeg.source(video),
                "-map",
                stream,
                "-frames:v",
                "1",
                "-q:v",
                "3",
                "-y",
                str(jpeg),
                "-map",
                stream,
                "-frames:v",
                "1",
                "-c:v",
                "libwebp",
                "-quality",
                "80",
                "-y",
                str(webp),
            ],
            timeout=_TIMEOUT_SECONDS,
            memory=ffmpeg_process.LARGE,
        )

    if not poster_frames.contrast_at(video, 0, scratch).is_blank:
        write(0)
        return {"jpg": jpeg, "webp": webp}
    best, seconds = poster_frames.Contrast(-1, -1, is_blank=True), 0.0
    for scene in poster_frames.visible_scenes(scenes):
        contrast, time = poster_frames.best_frame(video, scene, scenes, scratch)
        if contrast > best:
            best, seconds = contrast, time
        if not contrast.is_blank:
            break
    write(seconds)
    return {"jpg": jpeg, "webp": webp}


def thumbnails(video: Path, scenes: Sequence[MergedScene], scratch: Path) -> Mapping[int, Path]:
    """Write a small JPEG of each visible scene; return the paths by scene.

    The thumbnail of a stream-copied clip is its first frame, a keyframe, so one pass that decodes
    only keyframes writes all of them; reaching the middle would decode hundreds of frames. For
    other clips it is the middle frame. If that frame is blank, the scene's frame with the highest
    contrast is used.
    """
    visible = poster_frames.visible_scenes(scenes)
    targets = {scene.scene: scratch / f"thumbnail_{scene.scene:03d}.jpg" for scene in visible}
    copied = [scene for scene in visible if scene.how is SceneTreatment.COPIED]
    first_frames = _first_frames(video, copied, scratch) if copied else []
    if len(first_frames) == len(copied):
        for scene, (path, contrast) in zip(copied, first_frames, strict=True):
            path.rename(targets[scene.scene])
            if not contrast.is_blank:
                visible.remove(scene)

    def write_thumbnail(scene: MergedScene) -> None:
        if scene.how is SceneTreatment.COPIED:
            time = max(0.0, scene.start - scene.seconds / scene.frames / 2)
        else:
            time = sum(window(scene, scenes)) / 2
        default = poster_frames.contrast_at(video, time, scratch)
        if default.is_blank:
            contrast, better_time = poster_frames.best_frame(video, scene, scenes, scratch)
            time = better_time if contrast > default else time
        ffmpeg.run(
            [
                "-ss",
                f"{time:.6f}",
                *ffmpeg.source(video),
                "-map",
                f"0:{ffmpeg.video_index(video)}",
                "-frames:v",
                "1",
                "-vf",
                f"scale={THUMBNAIL_WIDTH}:-2",
                "-q:v",
                "4",
                "-y",
                str(targets[scene.scene]),
            ],
            timeout=_TIMEOUT_SECONDS,
            memory=ffmpeg_process.LARGE,
        )

    with ThreadPoolExecutor(_WORKERS) as pool:
        for future in [pool.submit(write_thumbnail, scene) for scene in visible]:
            future.result()
    return targets


def _first_frames(
    video: Path, scenes: Sequence[MergedScene], scratch: Path
) -> list[tuple[Path, poster_frames.Contrast]]:
    """Write the first frame of each of these scenes; return the paths with their contrast.

    Decodes only keyframes. May return fewer frames than there are scenes.
    """
    times = "+".join(
        f"lt(abs(t-{scene.start:.6f}),{scene.seconds / scene.frames / 2:.6f})" for scene in scenes
    )
    grids_path = scratch / "first.gray"
    graph = (
        f"[0:{ffmpeg.video_index(video)}]select='{times}',split[a][b];"
        f"[a]scale={THUMBNAIL_WIDTH}:-2[small];[b]{poster_frames.GRID}[grid]"
    )
    ffmpeg.run(
        [
            "-skip_frame",
            "nokey",
            *ffmpeg.source(video),
            "-filter_complex",
            graph,
            "-map",
            "[small]",
            "-fps_mode",
            "passthrough",
            "-q:v",
            "4",
            "-f",
            "image2",
            "-y",
            str(scratch / "first_%03d.jpg"),
            "-map",
            "[grid]",
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-y",
            str(grids_path),
        ],
        timeout=_TIMEOUT_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    contrasts = [poster_frames.contrast(grid) for grid in poster_frames.read_grids(grids_path)]
    return list(zip(sorted(scratch.glob("first_*.jpg")), contrasts, strict=True))


def preview(video: Path, scenes: Sequence[MergedScene], suffix: str, scratch: Path) -> Path:
    """Write a small animation as `gif` or `webp` that loops forever.

    It begins with a frame that is not blank, if there is one.
    """
    visible = poster_frames.visible_scenes(scenes)
    stride = max(1.0, len(visible) / _PREVIEW_SCENES)
    selected = [visible[int(index * stride)] for index in range(min(len(visible), _PREVIEW_SCENES))]
    windows = [_preview_window(scene, scenes) for scene in selected]
    for index, scene in enumerate(selected):
        if not poster_frames.contrast_at(video, windows[index][0], scratch).is_blank:
            windows = windows[index:]
            break
        contrast, start = poster_frames.best_frame(video, scene, scenes, scratch)
        if not contrast.is_blank:
            end = window(scene, scenes)[1]
            windows = [(start, min(_PREVIEW_SECONDS, end - start)), *windows[index + 1 :]]
            break
    inputs: list[str] = []
    for start, seconds_shown in windows:
        inputs += ["-ss", f"{start:.6f}", "-t", f"{seconds_shown:.6f}", *ffmpeg.source(video)]
    stream = ffmpeg.video_index(video)
    streams = "".join(f"[{index}:{stream}]" for index in range(len(windows)))
    graph = f"{streams}concat=n={len(windows)},fps={_PREVIEW_FPS},scale={THUMBNAIL_WIDTH}:-2"
    target = scratch / f"preview.{suffix}"
    if suffix == "gif":
        output_arguments = ["-filter_complex", f"{graph},{_GIF}", "-loop", "0"]
    else:
        webp = ("-c:v", "libwebp_anim", "-quality", "60", "-loop", "0")
        output_arguments = ["-filter_complex", graph, *webp]
    ffmpeg.run(
        [*inputs, *output_arguments, "-an", "-y", str(target)],
        timeout=_TIMEOUT_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    return target


def _preview_window(scene: MergedScene, scenes: Sequence[MergedScene]) -> tuple[float, float]:
    """Return the start and duration of the middle second of a scene."""
    start, end = window(scene, scenes)
    seconds_shown = min(_PREVIEW_SECONDS, end - start)
    return start + (end - start - seconds_shown) / 2, seconds_shown
