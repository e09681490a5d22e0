"""The still image that replaces a scene's broken clip."""

from pathlib import Path

from common.domain.errors import MediaError

_DEMUXERS = {
    b"\x89PNG": "png_pipe",
    b"\xff\xd8\xff\xe0": "jpeg_pipe",
    b"\xff\xd8\xff\xe1": "jpeg_pipe",
}


def source(path: Path) -> list[str]:
    """Return ffmpeg's input arguments for an image; raises MediaError unless it is PNG or JPEG."""
    with path.open("rb") as file:
        signature = file.read(4)
    if signature not in _DEMUXERS:
        raise MediaError("The image of the scene is not a PNG or JPEG.")
    whitelists = ("-protocol_whitelist", "file,pipe", "-codec_whitelist", "png,mjpeg")
    return ["-f", _DEMUXERS[signature], *whitelists, "-i", str(path)]
