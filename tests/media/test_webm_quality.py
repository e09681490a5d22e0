"""The quality of WebM compared with MP4: SSIM of the same frames with the clip."""

import re
import subprocess
from pathlib import Path

import pytest

from common.domain.output import Format, Output
from common.media import ffmpeg
from merge import assemble
from merge.models import Clip
from tests.media.coded import FFMPEG
from tests.offline import providers

FRAMES = 48
# In SSIM. When measured, WebM was at most 0.018 better and never worse.
MARGIN = 0.003
_COLOURS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
_SIZE = "s=640x360:r=24"
# Like generated clips: moving detail; soft light with film grain; darkness; flat drawings.
SCENES = {
    "detail": f"mandelbrot={_SIZE}:end_scale=0.2",
    "grain": f"gradients={_SIZE}:c0=0x203040:c1=0xd0a080:speed=0.02,noise=alls=12:allf=t",
    "darkness": f"gradients={_SIZE}:c0=0x040608:c1=0x283040:speed=0.02,noise=alls=4:allf=t",
    "drawing": f"testsrc2={_SIZE}",
}
OFFLINE = "clip of the offline camera"


def _lossless(folder: Path, scene: str) -> Path:
    path = folder / "clip.mkv"
    source = (
        ["-f", "lavfi", "-i", SCENES[scene]]
        if scene in SCENES
        else ["-i", str(_offline_clip(folder))]
    )
    command = [FFMPEG, "-v", "error", *source, "-frames:v", str(FRAMES)]
    command += ["-vf", f"format=yuv420p,{_COLOURS}", "-c:v", "ffv1", "-y", str(path)]
    subprocess.run(command, check=True)
    return path


def _offline_clip(folder: Path) -> Path:
    """Animate an image of the offline provider with the offline video provider."""
    image = providers.paint(providers.image_request(size=(640, 360))).picture
    providers.animate(image, folder / "filmed.mp4")
    return folder / "filmed.mp4"


def _ssim(video: Path, clip: Path) -> float:
    """Return the SSIM of all planes; frames are paired by number, not by time."""
    assert ffmpeg.decode(video).frames == FRAMES
    filters = ";".join(
        f"[{n}:v]settb=1/24,setpts=N,format=yuv420p,{_COLOURS}[v{n}]" for n in (0, 1)
    )
    command = [FFMPEG, "-hide_banner", "-i", str(video), "-i", str(clip)]
    command += ["-lavfi", f"{filters};[v0][v1]ssim=shortest=1", "-f", "null", "-"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    (ssim,) = re.findall(r"SSIM .*All:([\d.]+)", log)
    return float(ssim)


@pytest.mark.parametrize("scene", [*SCENES, OFFLINE])
def test_webm_quality_is_not_below_mp4(scene: str, tmp_path: Path) -> None:
    clip = _lossless(tmp_path, scene)
    ssim = {}
    for format_ in (Format.MP4, Format.WEBM):
        (folder := tmp_path / format_.value).mkdir()
        merged = assemble.merge_clips({1: Clip(clip)}, Output(format=format_), folder)
        ssim[format_] = _ssim(merged.path, clip)
    assert ssim[Format.WEBM] > ssim[Format.MP4] - MARGIN
    assert ssim[Format.WEBM] > 0.9
