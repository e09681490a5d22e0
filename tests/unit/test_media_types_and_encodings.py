"""Media types, file signatures, base64 and data URIs in the spellings that tools write."""

import base64
import struct

import pytest

from common.domain.uploads import SUFFIXES, kind_of, standard
from common.media import mime
from common.schemas import data_uri

DATA = bytes(range(256)) * 3 + b"\xfb\xef\xbe?"
PLAIN = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    ("alias", "media_type"),
    [
        ("audio/x-wav", "audio/wav"),
        ("audio/wave", "audio/wav"),
        ("audio/vnd.wave", "audio/wav"),
        ("audio/x-m4a", "audio/mp4"),
        ("audio/m4a", "audio/mp4"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-flac", "audio/flac"),
        ("audio/ogg; codecs=opus", "audio/ogg"),
        ("application/ogg", "audio/ogg"),
        ("image/jpg", "image/jpeg"),
        ("AUDIO/MPEG", "audio/mpeg"),
        ("Image/X-PNG", "image/png"),
        ("video/x-m4v", "video/mp4"),
        ("video/mov", "video/quicktime"),
        (' video/mp4 ;codecs="avc1.42E01E, mp4a.40.2"', "video/mp4"),
        ("video/webm", "video/webm"),
        ("audio/webm;codecs=opus", "audio/webm"),
    ],
)
def test_media_type_alias_is_normalized(alias: str, media_type: str) -> None:
    assert standard(alias) == media_type
    assert kind_of(standard(alias)) == media_type.split("/")[0]


def test_registered_media_types_stay_and_unknown_ones_have_no_kind() -> None:
    assert all(standard(name) == name for name in SUFFIXES)
    for name in ("", "text/plain", "image/heic", "audio/", "application/octet-stream"):
        assert kind_of(standard(name)) is None


ENCODINGS = {
    "plain": PLAIN,
    "wrapped at 76": base64.encodebytes(DATA).decode(),
    "wrapped with CRLF": base64.encodebytes(DATA).decode().replace("\n", "\r\n"),
    "with spaces": " " + PLAIN[:10] + " " + PLAIN[10:] + " ",
    "URL-safe": base64.urlsafe_b64encode(DATA).decode(),
    "without padding": base64.urlsafe_b64encode(DATA[:-1]).decode().rstrip("="),
    "percent-encoded": PLAIN.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    "data URI": f"data:image/png;base64,{PLAIN}",
    "image/jpg": f"data:image/jpg;base64,{PLAIN}",
    "octets": f"data:application/octet-stream;base64,{PLAIN}",
    "no type": f"data:;base64,{PLAIN}",
    "parameters": f'data:image/png;charset=utf-8;name="me, at home.png";base64,{PLAIN}',
    "upper case": f"DATA:IMAGE/PNG;BASE64,{PLAIN}",
    "space after the comma": f"data:image/png;base64, {PLAIN}\n",
    "space before": f"\n data:image/png; base64,{PLAIN}",
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_base64_is_decoded_in_every_common_spelling(name: str) -> None:
    expected = DATA[:-1] if name == "without padding" else DATA
    assert data_uri.decode(ENCODINGS[name]) == expected


@pytest.mark.parametrize("text", ["not base64!", "data:image/svg+xml,%3Csvg%3E", "ABCDE", "AB=CD="])
def test_invalid_base64_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        data_uri.decode(text)


def test_base64_size_limit_ignores_line_breaks() -> None:
    whole = base64.encodebytes(bytes(data_uri.MAX_BYTES)).decode()
    assert len(data_uri.decode(whole)) == data_uri.MAX_BYTES
    with pytest.raises(data_uri.Oversize):
        data_uri.decode("A" * (data_uri.MAX_BYTES * 4 // 3 + 8))


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + b"\0\0\0\x08free"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (ftyp(b"XAVC", b"XAVC", b"mp42", b"iso2"), "video/mp4"),
        (ftyp(b"iso8", b"iso8", b"mp41"), "video/mp4"),
        (ftyp(b"dash", b"iso6"), "video/mp4"),
        (ftyp(b"3gp5", b"3gp5", b"isom"), "video/mp4"),
        (ftyp(b"mp42", b"mp42", b"M4A "), "video/mp4"),  # brands of audio and video
        (ftyp(b"qt  "), "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\1\0mdat", "video/quicktime"),
        (ftyp(b"M4A ", b"mp42"), "audio/mp4"),
        (ftyp(b"avif", b"mif1", b"miaf"), "image/avif"),
        (ftyp(b"mif1", b"avif", b"miaf"), "image/avif"),
        (ftyp(b"mif1", b"mif1", b"heic"), "image/heic"),
        (ftyp(b"heix"), "image/heic"),
        (ftyp(b"crx ", b"isom"), "image/x-canon-cr3"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"\0" * 417 + b"\xff\xfb\x90\x44", "audio/mpeg"),
        (b"\0" * 10 + b"ID3\x04", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", None),  # AAC
        (b"\0" * 1024, None),
        (b"hello", None),
        (b"", None),
    ],
)
def test_media_type_is_detected_from_the_signature(head: bytes, media_type: str | None) -> None:
    assert mime.media_type(head) == media_type
