"""A scene's picture in the place of its clip."""

from pathlib import Path

from common.domain.errors import MediaError

_DEMUXERS = {
    b"\x89PNG": "png_pipe",
    b"\xff\xd8\xff\xe0": "jpeg_pipe",
    b"\xff\xd8\xff\xe1": "jpeg_pipe",
}


def source(path: Path) -> list[str]:
    """Return the arguments with which ffmpeg opens a picture; raises MediaError for no picture."""
    with path.open("rb") as file:
        head = file.read(4)
    if head not in _DEMUXERS:
        raise MediaError("The scene's picture is not a PNG or JPEG.")
    whitelist = ("-protocol_whitelist", "file,pipe", "-codec_whitelist", "png,mjpeg")
    return ["-f", _DEMUXERS[head], *whitelist, "-i", str(path)]
