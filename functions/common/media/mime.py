"""The media type of a file by its first bytes, whatever its name or sender say. Touches nothing."""

HEAD_BYTES = 1024

_FIXED = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"%PDF-", "application/pdf"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
# Brands of ISO base media files that are not video. A file names one brand first and those that
# it is compatible with after it (ISO/IEC 14496-12, section 4.3).
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_OTHERS = {b"crx ": "image/x-canon-cr3", b"jp2 ": "image/jp2", b"jpx ": "image/jp2"}
_AUDIO = {b"M4A ", b"M4B ", b"M4P "}
# QuickTime files of before 2001 begin with one of these boxes.
_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def media_type(head: bytes) -> str | None:
    """Return the IANA type that the first HEAD_BYTES of a file tell, or None for anything else.

    Also types that are nowhere taken are known, so that a refusal can name them.
    """
    for start, found in _FIXED:
        if head.startswith(start):
            return found
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):  # the others are WAV of more than 4 GiB
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[4:8] in _QUICKTIME:
        return "video/quicktime"
    if head.lstrip().startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return "image/svg+xml"
    sound = head.lstrip(b"\0")  # some encoders begin with silence of the wrong kind
    if sound.startswith(b"ID3"):
        return "audio/mpeg"
    if len(sound) > 1 and sound[0] == 0xFF and sound[1] & 0xE6 == 0xE2:  # MPEG audio, layer 3
        return "audio/mpeg"
    return None


def _of_brands(head: bytes) -> str:
    """Return the type of an ISO base media file: by its first brand, or a picture by any."""
    length = min(int.from_bytes(head[:4]), len(head))
    first = head[8:12]
    brands = {first, *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if first in _AVIF or (first in _HEIF and brands & _AVIF):
        return "image/avif"
    if first in _HEIF:
        return "image/heic"
    if first in _OTHERS:
        return _OTHERS[first]
    if first in _AUDIO:
        return "audio/mp4"
    return "video/quicktime" if first == b"qt  " else "video/mp4"
