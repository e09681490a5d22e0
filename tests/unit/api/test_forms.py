"""Multipart forms: hostile ones are rejected in milliseconds, those of real clients are parsed."""

import base64
import time

import pytest

from api.http.forms import _fields
from common.domain.errors import Malformed, UnsupportedMediaType, VideoError

KIND = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nPNG\r\n'
END = b"--b--\r\n"


def part(head: bytes, data: bytes = b"1") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


def named(extra: bytes, data: bytes = b"1") -> bytes:
    return part(b'Content-Disposition: form-data; name="file"; filename="a"' + extra, data)


HOSTILE = {
    "100,000 parameters of a part": (KIND, named(b"; a=b" * 100_000) + END),
    "400,000 empty parts": (KIND, b"--b\r\n\r\n\r\n" * 400_000 + END),
    "130,000 parts": (KIND, part(b'Content-Disposition: form-data; name="a"') * 130_000 + END),
    "8,000 semicolons behind the boundary": (f"{KIND}{';' * 8000}", FILE + END),
    "1,500 brackets behind the boundary": (f"{KIND}{'(' * 1500}", FILE + END),
    "1,000 brackets as a file's name": (
        KIND,
        part(b'Content-Disposition: form-data; name="file"; filename=' + b"(" * 1000) + END,
    ),
    "a message in a message, 2,000 deep": (
        KIND,
        part(b"Content-Type: message/rfc822\r\n\r\n" * 2000) + END,
    ),
    "a form in a form": (
        KIND,
        named(b"\r\nContent-Type: multipart/mixed; boundary=c", b"--c\r\n\r\n--c--") + END,
    ),
    "a message as a file": (KIND, named(b"\r\nContent-Type: message/rfc822") + END),
    "a file in base64": (KIND, named(b"\r\nContent-Transfer-Encoding: base64", b"QUFB") + END),
    "a file in quoted-printable": (
        KIND,
        named(b"\r\ncontent-transfer-encoding: Quoted-Printable", b"=41") + END,
    ),
    "a uuencoded file": (KIND, named(b"\r\nContent-Transfer-Encoding: x-uuencode") + END),
    "a name in pieces": (KIND, part(b"Content-Disposition: form-data; name*0=a; name*1=b") + END),
    "no name": (KIND, part(b"Content-Disposition: form-data") + END),
    "a field of another encoding": (
        KIND,
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=utf-7')
        + END,
    ),
    "a field that is no text": (
        KIND,
        part(b'Content-Disposition: form-data; name="a"', b"\xff") + END,
    ),
    "a field twice": (KIND, part(b'Content-Disposition: form-data; name="a"') * 2 + FILE + END),
    "two files": (KIND, FILE + FILE + END),
    "no end": (KIND, FILE),
    "no parts": (KIND, END),
    "a header of 1 MB": (KIND, part(b"X-A: " + b"a" * 1_000_000) + END),
    "a header that is folded": (KIND, part(b"Content-Disposition: form-data;\r\n name=a") + END),
    "1,000 headers": (KIND, part(b"\r\n".join([b"X-A: a"] * 1000)) + END),
    "a boundary of 71 characters": (
        "multipart/form-data; boundary=" + "b" * 71,
        FILE.replace(b"--b", b"--" + b"b" * 71),
    ),
    "a boundary that is no text": ("multipart/form-data; boundary=\u00e9\ud800", FILE + END),
    "an empty boundary": ('multipart/form-data; boundary=""', b"--\r\n\r\n----"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_form_is_rejected_quickly(name: str) -> None:
    kind, raw = HOSTILE[name]
    started = time.process_time()
    with pytest.raises((Malformed, UnsupportedMediaType)) as refused:
        _fields(kind, raw, "image")
    assert time.process_time() - started < 0.2
    assert isinstance(refused.value, VideoError)
    assert len(refused.value.detail) < 200


def test_form_number_of_many_digits_stays_a_string() -> None:
    head = b'Content-Disposition: form-data; name="expiresIn"'
    for digits in (b"9" * 5000, "²".encode(), "٣".encode()):
        fields = _fields(KIND, part(head, digits) + FILE + END, "image")
        assert isinstance(fields["expiresIn"], str)
    assert _fields(KIND, part(head, b"60") + FILE + END, "image")["expiresIn"] == 60


def test_large_form_file_is_parsed_quickly() -> None:
    for data in (b"\n" * 4_000_000, b"\r" * 4_000_000, b"\r\n--" * 1_000_000, b"--b" * 1_000_000):
        started = time.process_time()
        fields = _fields(KIND, named(b"", data) + END, "image")
        assert base64.b64decode(fields["image"]) == data
        assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("kind", "head"),
    [  # as real clients send it
        (KIND, b'Content-Disposition: form-data; name="file"; filename="a.png"'),
        (KIND + "; charset=utf-8", b'Content-Disposition: form-data; name="f"; filename="a.png"'),
        ('multipart/form-data; boundary="b"', b"Content-Disposition: form-data; name=file"),
        ("Multipart/Form-Data; Boundary=b", b'content-disposition: form-data; name="image"'),
        (
            KIND,  # .NET
            (
                b"Content-Type: image/png\r\nContent-Disposition: form-data; name=file; "
                b"filename=a.png; filename*=utf-8''a.png"
            ),
        ),
        (
            KIND,  # Apache HttpClient, OkHttp
            (
                b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'
                b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n"
                b"Content-Length: 3"
            ),
        ),
        (KIND, 'Content-Disposition: form-data; name="file"; filename="übung \u2603.png"'.encode()),
    ],
)
def test_form_of_a_real_client_is_parsed(kind: str, head: bytes) -> None:
    field = part(b'Content-Disposition: form-data; name="requestId"', b"one")
    fields = _fields(kind, field + part(head, b"PNG") + END, "image")
    assert fields == {"requestId": "one", "image": base64.b64encode(b"PNG").decode()}


def test_empty_form_field_counts_as_omitted() -> None:
    head = b'Content-Disposition: form-data; name="'
    raw = part(head + b'requestId"', b"") + part(head + b'expiresIn"', b"") + FILE + END
    assert _fields(KIND, raw, "image").keys() == {"image"}


def test_form_field_is_decoded_in_its_declared_charset() -> None:
    head = b'Content-Disposition: form-data; name="fileName"\r\nContent-Type: text/plain; charset='
    for charset, data in (("ISO-8859-1", b"caf\xe9"), ("UTF-8", "café".encode())):
        raw = part(head + charset.encode(), data) + FILE + END
        assert _fields(KIND, raw, "image")["fileName"] == "café"
