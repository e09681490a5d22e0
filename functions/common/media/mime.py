"""Detect a file's media type by its first bytes, not by its name. Performs no I/O."""

HEAD_BYTES = 1024

_SIGNATURES = (
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
# Brands of ISO base media files that are not video. A file has one major brand, followed by the
# compatible brands (ISO/IEC 14496-12, section 4.3).
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
}
_OTHER_BRANDS = {b"crx ": "image/x-canon-cr3", b"jp2 ": "image/jp2", b"jpx ": "image/jp2"}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P "}
# QuickTime files from before 2001 begin with one of these boxes.
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def media_type(head: bytes) -> str | None:
    """Return the IANA media type of a file by its first HEAD_BYTES, or None if unknown.

    Unsupported types are detected too, so that error messages can name them.
    """
    for signature, mime_type in _SIGNATURES:
        if head.startswith(signature):
            return mime_type
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):  # RF64 and BW64 are WAV files of more than 4 GiB
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _type_of_brands(head)
    if head[4:8] in _QUICKTIME_BOXES:
        return "video/quicktime"
    if head.lstrip().startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return "image/svg+xml"
    audio = head.lstrip(b"\0")  # some encoders write zeros first
    if audio.startswith(b"ID3"):
        return "audio/mpeg"
    if len(audio) > 1 and audio[0] == 0xFF and audio[1] & 0xE6 == 0xE2:  # MPEG audio, layer 3
        return "audio/mpeg"
    return None


def _type_of_brands(head: bytes) -> str:
    """Return the type of an ISO base media file by its brands."""
    ftyp_bytes = min(int.from_bytes(head[:4]), len(head))
    major_brand = head[8:12]
    brands = {major_brand, *(head[offset : offset + 4] for offset in range(16, ftyp_bytes - 3, 4))}
    if major_brand in _AVIF_BRANDS or (major_brand in _HEIF_BRANDS and brands & _AVIF_BRANDS):
        return "image/avif"
    if major_brand in _HEIF_BRANDS:
        return "image/heic"
    if major_brand in _OTHER_BRANDS:
        return _OTHER_BRANDS[major_brand]
    if major_brand in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/quicktime" if major_brand == b"qt  " else "video/mp4"
