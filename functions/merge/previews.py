"""Stills and small moving pictures of a finished video: what is shown before it is played."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.media import ffmpeg, ffmpeg_process
from merge import poster_frames
from merge.models import MergedScene, SceneTreatment
from merge.scene_windows import window

THUMBNAIL_WIDTH = 320
_WORKERS = 4
_SECONDS = 60
# A preview shows a second of up to six scenes, so that it stays small however long the video is.
_PREVIEW_SCENES, _PREVIEW_SECONDS, _PREVIEW_FPS = 6, 1.0, 10
_GIF = "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=3"


def posters(video: Path, parts: Sequence[MergedScene], scratch: Path) -> dict[str, Path]:
    """Write a picture of the video, in its own size, as JPEG and WebP; by suffix.

    It is the first one, or of the first scene that is not blank throughout the best one.
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
            timeout=_SECONDS,
            memory=ffmpeg_process.LARGE,
        )

    if not poster_frames.at(video, 0, scratch).is_blank:
        write(0)
        return {"jpg": jpeg, "webp": webp}
    most, seconds = poster_frames.Contrast(-1, -1, is_blank=True), 0.0
    for part in poster_frames.shown(parts):
        found, moment = poster_frames.best(video, part, parts, scratch)
        if found > most:
            most, seconds = found, moment
        if not found.is_blank:
            break
    write(seconds)
    return {"jpg": jpeg, "webp": webp}


def thumbnails(video: Path, parts: Sequence[MergedScene], scratch: Path) -> Mapping[int, Path]:
    """Write a small JPEG of each scene that is in the video; by scene.

    Of a clip that was copied it is the first picture, which can be decoded without any other, so
    one pass takes them all: on the way to the middle lie hundreds. Else it is the middle one. If
    that is blank, it is the best one of the scene.
    """
    shown = poster_frames.shown(parts)
    targets = {part.scene: scratch / f"thumbnail_{part.scene:03d}.jpg" for part in shown}
    copied = [part for part in shown if part.how is SceneTreatment.COPIED]
    first = _first_pictures(video, copied, scratch) if copied else []
    if len(first) == len(copied):
        for part, (path, contrast) in zip(copied, first, strict=True):
            path.rename(targets[part.scene])
            if not contrast.is_blank:
                shown.remove(part)

    def make(part: MergedScene) -> None:
        before = max(0.0, part.start - part.seconds / part.frames / 2)
        moment = before if part.how is SceneTreatment.COPIED else sum(window(part, parts)) / 2
        usual = poster_frames.at(video, moment, scratch)
        if usual.is_blank:
            found, better = poster_frames.best(video, part, parts, scratch)
            moment = better if found > usual else moment
        ffmpeg.run(
            [
                "-ss",
                f"{moment:.6f}",
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
                str(targets[part.scene]),
            ],
            timeout=_SECONDS,
            memory=ffmpeg_process.LARGE,
        )

    with ThreadPoolExecutor(_WORKERS) as pool:
        for done in [pool.submit(make, part) for part in shown]:
            done.result()
    return targets


def _first_pictures(
    video: Path, parts: Sequence[MergedScene], scratch: Path
) -> list[tuple[Path, poster_frames.Contrast]]:
    """Write the first picture of each of these scenes, and judge it.

    No others than key pictures are decoded.
    """
    times = "+".join(
        f"lt(abs(t-{part.start:.6f}),{part.seconds / part.frames / 2:.6f})" for part in parts
    )
    grids = scratch / "first.gray"
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
            str(grids),
        ],
        timeout=_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    judged = [poster_frames.contrast(grid) for grid in poster_frames.grids(grids)]
    return list(zip(sorted(scratch.glob("first_*.jpg")), judged, strict=True))


def preview(video: Path, parts: Sequence[MergedScene], suffix: str, scratch: Path) -> Path:
    """Write a small moving picture as `gif` or `webp`, repeated for ever.

    It begins with a picture that is not blank, if there is one.
    """
    shown = poster_frames.shown(parts)
    step = max(1.0, len(shown) / _PREVIEW_SCENES)
    chosen = [shown[int(number * step)] for number in range(min(len(shown), _PREVIEW_SCENES))]
    pieces = [_piece(part, parts) for part in chosen]
    for number, part in enumerate(chosen):
        if not poster_frames.at(video, pieces[number][0], scratch).is_blank:
            pieces = pieces[number:]
            break
        found, begin = poster_frames.best(video, part, parts, scratch)
        if not found.is_blank:
            end = window(part, parts)[1]
            pieces = [(begin, min(_PREVIEW_SECONDS, end - begin)), *pieces[number + 1 :]]
            break
    inputs: list[str] = []
    for begin, length in pieces:
        inputs += ["-ss", f"{begin:.6f}", "-t", f"{length:.6f}", *ffmpeg.source(video)]
    stream = ffmpeg.video_index(video)
    streams = "".join(f"[{number}:{stream}]" for number in range(len(pieces)))
    graph = f"{streams}concat=n={len(pieces)},fps={_PREVIEW_FPS},scale={THUMBNAIL_WIDTH}:-2"
    target = scratch / f"preview.{suffix}"
    if suffix == "gif":
        how = ["-filter_complex", f"{graph},{_GIF}", "-loop", "0"]
    else:
        webp = ("-c:v", "libwebp_anim", "-quality", "60", "-loop", "0")
        how = ["-filter_complex", graph, *webp]
    ffmpeg.run(
        [*inputs, *how, "-an", "-y", str(target)], timeout=_SECONDS, memory=ffmpeg_process.LARGE
    )
    return target


def _piece(part: MergedScene, parts: Sequence[MergedScene]) -> tuple[float, float]:
    """Return when the middle second of a scene begins, and how long it is."""
    start, end = window(part, parts)
    length = min(_PREVIEW_SECONDS, end - start)
    return start + (end - start - length) / 2, length
