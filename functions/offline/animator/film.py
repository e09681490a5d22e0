"""Compositing of layers into frames, and encoding with ffmpeg."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image

from common.aws.log import logger
from common.domain.errors import MediaError, PermanentError
from common.media import ffmpeg_errors
from offline.animator.layers import Layer, Planes
from offline.animator.living import Falling, Flicker, Motes, lamps
from offline.animator.moves import CameraPath, View

RATE = 24
_LOGGED = 1000  # characters of ffmpeg's output
# Constant, so that clips of one size have the same parameter sets and can be concatenated by stream
# copy. Without B-frames, presentation order is decoding order and no edit list is needed.
_ENCODER = (
    *("-c:v", "libx264", "-profile:v", "high", "-level:v", "4.0", "-preset", "superfast"),
    *("-crf", "20", "-g", "48", "-bf", "0", "-flags", "+cgop", "-threads", "1"),
    *("-vf", "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"),
    *("-pix_fmt", "yuv420p"),
    *("-video_track_timescale", "12288", "-movflags", "+faststart"),
    *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact+cgop", "-an"),
)
_CLOUDS = 1
_CLOUD_SPEED = 0.006
"""Drift of clouds per second, as a share of the width."""


def frames(
    layers: list[Layer], path: CameraPath, facts: Mapping[str, Any], seed: int, speed: float
) -> Iterator[Planes]:
    """Yield the frames of a clip, as planes in the size of the image."""
    base = layers[0]
    size = base.planes[0].size
    labelled = lamps(facts, size) if len(layers) > 1 else []
    flicker, bands = Flicker(labelled), [_layer_at(layers, lamp.x, lamp.y) for lamp in labelled]
    weather = facts.get("weather")
    inside = facts.get("place") in ("room", "underwater", "space", "cave")
    falling = Falling(weather, size, seed) if weather in ("rain", "snow") and not inside else None
    kind = facts.get("motes") if falling is None else None
    motes = Motes(kind, size, seed) if isinstance(kind, str) else None
    drift = _CLOUD_SPEED * size[0] * speed * (1 if seed % 2 else -1)
    middle = len(path.views) / RATE / 2
    for number, view in enumerate(path.views):
        seconds = number / RATE
        shifts = {
            layer.band: _shift(layer, path, view.shift, drift * (seconds - middle))
            for layer in layers
        }
        canvas = tuple(plane.copy() for plane in base.planes)
        canvas = (canvas[0], canvas[1], canvas[2])
        if base.parallax != path.pivot:
            base.lay(canvas, *shifts[base.band])
        for layer in layers[1:]:
            layer.lay(canvas, *shifts[layer.band])
        flicker.draw(
            canvas,
            seconds,
            [
                (s, 0.0) if axis == 0 else (0.0, s)
                for s, axis in (shifts[layer.band] for layer in bands)
            ],
        )
        frame = _window(canvas, view)
        if falling is not None:
            falling.draw(frame, seconds)
        if motes is not None:
            motes.draw(frame, seconds)
        yield frame


def _window(canvas: Planes, view: View) -> Planes:
    """Return the view's window scaled to the image's size, with subpixel accuracy."""
    luma, blue, red = canvas
    box = (view.left, view.top, view.left + view.width, view.top + view.height)
    half = (box[0] / 2, box[1] / 2, box[2] / 2, box[3] / 2)
    return (
        luma.resize(luma.size, Image.Resampling.BICUBIC, box=box),
        blue.resize(blue.size, Image.Resampling.BILINEAR, box=half),
        red.resize(red.size, Image.Resampling.BILINEAR, box=half),
    )


def _shift(layer: Layer, path: CameraPath, nearest: float, drift: float) -> tuple[float, int]:
    if layer.band == _CLOUDS:
        shift = (layer.parallax - path.pivot) * nearest if path.axis == 0 else 0.0
        return shift + drift, 0
    return (layer.parallax - path.pivot) * nearest, path.axis


def _layer_at(layers: list[Layer], x: int, y: int) -> Layer:
    for layer in reversed(layers):
        left, top = layer.position
        inside = left <= x < left + layer.mask.width and top <= y < top + layer.mask.height
        if inside and layer.mask.getpixel((x - left, y - top)) != 0:
            return layer
    return layers[0]


def encode(frames: Iterator[Planes], size: tuple[int, int], target: Path) -> None:
    """Encode the frames as an MP4 to `target`, which is created atomically.

    Raises PermanentError if ffmpeg is not installed and MediaError if it fails.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise PermanentError(
            "ffmpeg is not installed. The function needs the ffmpeg layer.",
            code="ffmpeg.missing",
        )
    work = target.with_name(f".{target.stem}.part.mp4")
    command = [
        *(program, "-hide_banner", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p"),
        *("-s", f"{size[0]}x{size[1]}", "-r", str(RATE), "-i", "pipe:0"),
        *(*_ENCODER, str(work)),
    ]
    try:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 - a fixed program with trusted arguments
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env={}
            )
            assert process.stdin is not None
            try:
                _feed(frames, process.stdin)
            except BaseException:
                process.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                code = process.wait()
            errors.seek(0)
            output = errors.read().decode("utf-8", errors="replace")
        if code != 0:
            logger.info("ffmpeg failed", extra={"exit_code": code, "stderr": output[-_LOGGED:]})
            error_code, reason = ffmpeg_errors.reason(output, code)
            raise MediaError(f"ffmpeg cannot encode the clip: {reason}.", code=error_code)
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)


def _feed(frames: Iterator[Planes], pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):  # ffmpeg exited early; its exit code has the reason
        for planes in frames:
            for plane in planes:
                pipe.write(plane.tobytes())
