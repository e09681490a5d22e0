"""Stills and small moving pictures of a finished video: what is shown before it is played."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import ffmpeg
from merge.cut import How, Part
from merge.placing import window

THUMBNAIL_WIDTH = 320
_WORKERS = 4
_SECONDS = 60
# A preview shows a second of up to six scenes, so that it stays small however long the video is.
_PREVIEW_SCENES, _PREVIEW_SECONDS, _PREVIEW_FPS = 6, 1.0, 10
_GIF = "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=3"


def posters(video: Path, scratch: Path) -> dict[str, Path]:
    """Write the first picture of the video, in its own size, as JPEG and WebP; by suffix."""
    jpeg, webp = scratch / "poster.jpg", scratch / "poster.webp"
    ffmpeg.run(
        [
            *ffmpeg.source(video), "-map", "0:V:0", "-frames:v", "1", "-q:v", "3", "-y", str(jpeg),
            "-map", "0:V:0", "-frames:v", "1", "-c:v", "libwebp", "-quality", "80", "-y", str(webp),
        ],
        timeout=_SECONDS,
    )  # fmt: skip
    return {"jpg": jpeg, "webp": webp}


def thumbnails(video: Path, parts: Sequence[Part], scratch: Path) -> Mapping[int, Path]:
    """Write a small JPEG of each scene that is in the video; by scene.

    Of a clip that was copied it is the first picture, which can be decoded without any other, so
    one pass takes them all: on the way to the middle lie hundreds. Else it is the middle one.
    """
    shown = [part for part in parts if part.how is not How.SKIPPED]
    targets = {part.scene: scratch / f"thumbnail_{part.scene:03d}.jpg" for part in shown}
    copied = [part for part in shown if part.how is How.COPIED]
    first = _first_pictures(video, copied, scratch) if copied else []
    if len(first) == len(copied):
        for part, path in zip(copied, first, strict=True):
            path.rename(targets[part.scene])
            shown.remove(part)

    def make(part: Part) -> None:
        middle = sum(window(part, parts)) / 2
        ffmpeg.run(
            [
                "-ss", f"{middle:.3f}", *ffmpeg.source(video), "-map", "0:V:0", "-frames:v", "1",
                "-vf", f"scale={THUMBNAIL_WIDTH}:-2", "-q:v", "4", "-y", str(targets[part.scene]),
            ],
            timeout=_SECONDS,
        )  # fmt: skip

    with ThreadPoolExecutor(_WORKERS) as pool:
        for done in [pool.submit(make, part) for part in shown]:
            done.result()
    return targets


def _first_pictures(video: Path, parts: Sequence[Part], scratch: Path) -> list[Path]:
    """Write the first picture of each of these scenes; no others than key pictures are decoded."""
    times = "+".join(
        f"lt(abs(t-{part.start:.6f}),{part.seconds / part.frames / 2:.6f})" for part in parts
    )
    ffmpeg.run(
        [
            "-skip_frame", "nokey", *ffmpeg.source(video), "-map", "0:V:0",
            "-vf", f"select='{times}',scale={THUMBNAIL_WIDTH}:-2", "-fps_mode", "passthrough",
            "-q:v", "4", "-f", "image2", "-y", str(scratch / "first_%03d.jpg"),
        ],
        timeout=_SECONDS,
    )  # fmt: skip
    return sorted(scratch.glob("first_*.jpg"))


def preview(video: Path, parts: Sequence[Part], suffix: str, scratch: Path) -> Path:
    """Write a small moving picture as `gif` or `webp`, repeated for ever."""
    shown = [part for part in parts if part.how is not How.SKIPPED]
    step = max(1.0, len(shown) / _PREVIEW_SCENES)
    chosen = [shown[int(number * step)] for number in range(min(len(shown), _PREVIEW_SCENES))]
    inputs: list[str] = []
    for part in chosen:
        start, end = window(part, parts)
        length = min(_PREVIEW_SECONDS, end - start)
        begin = start + (end - start - length) / 2
        inputs += ["-ss", f"{begin:.3f}", "-t", f"{length:.3f}", *ffmpeg.source(video)]
    streams = "".join(f"[{number}:V:0]" for number in range(len(chosen)))
    graph = f"{streams}concat=n={len(chosen)},fps={_PREVIEW_FPS},scale={THUMBNAIL_WIDTH}:-2"
    target = scratch / f"preview.{suffix}"
    if suffix == "gif":
        how = ["-filter_complex", f"{graph},{_GIF}", "-loop", "0"]
    else:
        webp = ("-c:v", "libwebp_anim", "-quality", "60", "-loop", "0")
        how = ["-filter_complex", graph, *webp]
    ffmpeg.run([*inputs, *how, "-an", "-y", str(target)], timeout=_SECONDS)
    return target
