"""Hostile requests that try to exhaust or break the service: forms, JSON, URLs, headers, images.

`known_attacks` yields known attacks, `random_requests` random mutations of valid requests.
"""

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.unit.api.test_forms import END, FILE, KIND, named, part
from tests.unit.api.test_forms import HOSTILE as FORMS
from tests.unit.schemas.test_base import HOSTILE as JSONS

MOST_BYTES = 1_000_000
JSON = {"Content-Type": "application/json"}
CONVERT = "/api/convert_s3_image_to_base64"
UPLOADS = ("/api/upload_image", "/api/public/upload-image", "/api/upload_video")
BODY_PATHS = (
    "/v1/videos",
    "/v1/estimates",
    "/v1/uploads",
    "/v1/videos/none/resume",
    CONVERT,
    "/api/generate_story",
    "/api/generate_single_image",
    "/api/public/generate-video",
    *UPLOADS,
)
# One endpoint for a single image, and one for ten images in one request.
IMAGE_PATHS = ("/api/upload_image", "/api/public/generate-video")
NUL = "https://e.example/api/proxy_s3_image/a%00b"


@dataclass(frozen=True)
class Hostile:
    """A request and the name of its attack. If `keyless`, it is sent without an API key."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | bytes | None = None
    keyless: bool = False


def bodies_with_image(text: str, *, count: int = 1) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and body for every field that takes an image as text."""
    request = {"prompt": "A kite", "scenes": 1, "seconds": 2}
    yield "/v1/videos", {**request, "image": text}
    yield "/api/upload_image", {"image": text}
    yield "/api/generate_single_image", {"prompt": "A kite", "image": text}
    yield "/api/generate_single_video_clip", {"prompt": "A kite", "startImage": text}
    yield "/api/public/generate-images", {"prompt": "A kite", "image": text, "numImages": 1}
    yield "/api/public/generate-video", {"prompt": "A kite", "images": [text] * count}


def bodies_with_url(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and body for every field that takes a URL."""
    yield "/v1/videos", {"prompt": "A kite", "scenes": 1, "seconds": 2, "image_url": url}
    yield CONVERT, {"imageUrl": url}
    for path, body in bodies_with_image(url):
        if path not in ("/v1/videos", "/api/upload_image"):
            yield path, body


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _file(image_format: str, size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, image_format, **options)
    return out.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _smooth(size: tuple[int, int]) -> bytes:
    """Return a small JPEG whose pixels are all different, which PNG compresses slowly."""
    out = io.BytesIO()
    small = Image.effect_noise((64, 48), 60).convert("RGB")
    small.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=40)
    return out.getvalue()


def images() -> dict[str, bytes]:
    """Return files of at most a few hundred kB that are expensive to decode, or broken."""
    small = _file("PNG", (64, 64))
    progressive = _file("JPEG", (8000, 8000), progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    text = zlib.compress(b"a" * 1_000_000, 9)
    jpeg = _file("JPEG", (64, 64))
    huge_header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    return {
        "a PNG of 25 million pixels": _file("PNG", (5000, 5000)),
        "a transparent PNG of 25 million pixels": _file("PNG", (5000, 5000), "RGBA"),
        "a PNG of 100 million pixels": _file("PNG", (10_000, 10_000), "1"),
        "a WebP of 25 million pixels": _file("WEBP", (5000, 5000)),
        "a smooth JPEG of 4 million pixels": _smooth((2048, 2048)),
        "a progressive JPEG of 64 million pixels": progressive,
        "a progressive JPEG of 2,000 scans": progressive[:-2] + scan * 2000 + b"\xff\xd9",
        "a progressive JPEG of 10 scans without an end": progressive[:-2] + scan * 4,
        "a PNG with 60 texts of 1 MB": (
            small[:33] + _chunk(b"iTXt", b"a\0\1\0\0\0" + text) * 60 + small[33:]
        ),
        "a PNG with a profile of 1 MB": (
            small[:33] + _chunk(b"iCCP", b"a\0\0" + text) + small[33:]
        ),
        "a PNG with 50,000 empty texts": small[:33] + _chunk(b"tEXt", b"a\0") * 50_000 + small[33:],
        "a PNG that claims to be huge": small[:8] + _chunk(b"IHDR", huge_header) + small[33:],
        "a JPEG with 100,000 segments": jpeg[:2] + b"\xff\xe1\0\x04aa" * 100_000 + jpeg[2:],
        "half a PNG": small[: len(small) // 2],
        "nothing": b"",
    }


URLS = (
    NUL,
    NUL.replace("%00", "%ED%A0%80%00"),
    "https://e.example/\0",
    "https://[::1/a",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 1000 + "example/",
    "https://b\u00fccher.example/",
    "https://\ud800.example/",
    "https://e.example/" + "%" * 2000,
    "https://e.example:99999999999/",
    "https://e.example/" + "/api/proxy_s3_image/" * 90,
    "https://media.s3/%00",
    "http://",
    "https:///",
    "://",
    "https://xn--a.example/",
    "https://media.s3.amazonaws.com/alice/v/user-uploads/a%00.png",
    "//e.example/api/proxy_s3_image/x",
    "https://e.example/api/proxy_s3_image/a?" + "t=1&" * 400,
)
HEADERS: dict[str, tuple[str, ...]] = {
    "X-User-ID": ("bad id!", "\0", "a" * 8000, "\u00e9", ""),
    "X-Request-ID": ("\0", "a" * 8000, "\u00e9", "../x", "a#1"),
    "Prefer": ("wait=" + "9" * 5000, "wait=\u0663", ",".join(["wait=x"] * 900), "wait=-1"),
    "Idempotency-Key": ("\0", "a" * 8000, "\u00e9", " "),
    "Content-Type": (
        "application/json; charset=" + "a" * 5000,
        "application/json; charset=idna",
        "\u00e9",
        "multipart/form-data; boundary=" + "(" * 5000,
        ";" * 5000,
        "application/json;" * 400,
    ),
    "Content-Encoding": ("gzip", "\0"),
    "Origin": ("\0", "a" * 8000),
    "Cookie": ("a=b;" * 2000,),
    "Range": ("bytes=" + "0-," * 2000,),
}


def known_attacks(*, everywhere: bool) -> Iterator[Hostile]:
    """Yield the known attacks, for a few endpoints of each kind or `everywhere`."""
    yield from _forms()
    yield from _jsons(BODY_PATHS if everywhere else BODY_PATHS[:2])
    for number, url in enumerate(URLS):
        for path, body in bodies_with_url(url):
            yield Hostile(f"URL {number}", "POST", path, JSON, json.dumps(body))
    for name, data in images().items():
        for path, body in bodies_with_image(as_base64(data), count=10):
            if not everywhere and path not in IMAGE_PATHS:
                continue
            yield Hostile(f"image: {name}", "POST", path, JSON, json.dumps(body))
    for name, values in HEADERS.items():
        for value in values:
            headers = {**JSON, name: value}
            yield Hostile(
                f"header {name}", "POST", "/v1/estimates", headers, '{"prompt": "A kite"}'
            )
            yield Hostile(f"header {name}", "POST", "/api/generate_story", headers, "{}")
            yield Hostile(f"header {name}", "GET", "/v1/media", headers)


def _forms() -> Iterator[Hostile]:
    for name, (kind, raw) in FORMS.items():
        for path in UPLOADS[::2]:
            yield Hostile(f"form: {name}", "POST", path, {"Content-Type": kind}, raw)
    digits = part(b'Content-Disposition: form-data; name="expiresIn"', b"9" * 5000)
    yield Hostile(
        "form: a number of 5,000 digits",
        "POST",
        UPLOADS[0],
        {"Content-Type": KIND},
        digits + FILE + END,
    )
    yield Hostile(
        "form: 1 MB of line feeds",
        "POST",
        UPLOADS[0],
        {"Content-Type": KIND},
        named(b"", b"\n" * MOST_BYTES) + END,
    )


def _jsons(paths: Sequence[str]) -> Iterator[Hostile]:
    jsons = dict(JSONS)
    for count in (900, 50_000, 100_000, 200_000):
        jsons[f"{count} unknown fields"] = json.dumps({f"f{n}": 1 for n in range(count)})
    jsons["a field of a long name"] = json.dumps({"a" * 60_000: 1})
    jsons["900 fields of long names"] = json.dumps({f"{n}" + "\u00e9" * 900: 1 for n in range(900)})
    jsons["characters that are none"] = '{"prompt": "\\u0000", "style": "\\ud800"}'
    for name, text in jsons.items():
        for path in paths:
            yield Hostile(f"JSON: {name}", "POST", path, JSON, text)
        yield Hostile(f"JSON: {name}", "POST", CONVERT, JSON, text, keyless=True)


def random_requests(rng: random.Random, count: int) -> Iterator[Hostile]:
    """Yield valid requests with random mutations."""
    makers: tuple[Callable[[random.Random], Hostile], ...] = (_form, _json, _url, _header, _image)
    for number in range(count):
        yield makers[number % len(makers)](rng)


def _mutate(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with random changes, repetitions and deletions."""
    mutated = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        offset = rng.randrange(len(mutated) + 1)
        match rng.randrange(4):
            case 0:
                mutated[offset : offset + 1] = rng.randbytes(rng.randint(0, 4))
            case 1:
                mutated[offset : offset + rng.randint(1, 40)] = b""
            case 2:
                chunk = bytes(mutated[offset : offset + rng.randint(1, 200)])
                mutated[offset:offset] = chunk * min(rng.choice((2, 50, 3000)), MOST_BYTES // 200)
            case _:
                mutated[offset:offset] = rng.choice(
                    (b"\0", b"\r\n", b"--b", b'"', b"\xff", b"%00", b";")
                )
    return bytes(mutated[:MOST_BYTES])


def _form(rng: random.Random) -> Hostile:
    fields = part(b'Content-Disposition: form-data; name="requestId"', b"one")
    valid = fields + named(b"\r\nContent-Type: image/png", _file("PNG", (8, 8))) + END
    kind = _mutate(rng, KIND.encode()).decode("latin-1")[:8000] if rng.random() < 0.2 else KIND
    return Hostile(
        "random form", "POST", rng.choice(UPLOADS), {"Content-Type": kind}, _mutate(rng, valid)
    )


def _json(rng: random.Random) -> Hostile:
    body = {
        "prompt": "A kite",
        "scenes": 2,
        "seconds": 5,
        "style": "Anime",
        "max_cost": "1.5",
        "seed": 1,
        "metadata": {"a": "b"},
        "models": {"text": {"provider": "offline"}},
        "output": {"captions": {"burn": True}, "music": {"media": "med_" + "0" * 26}},
    }
    values: tuple[Any, ...] = (
        "\\u0000",
        "\\ud83d",
        1e308,
        -1,
        2**63,
        [],
        {},
        None,
        True,
        "a" * 5000,
        "1e999",
        "NaN",
    )
    parent: Any = body
    for _ in range(rng.randint(1, 4)):
        name = rng.choice([*parent, f"x{rng.random()}"])
        if isinstance(parent.get(name), dict) and rng.random() < 0.6:
            parent = parent[name]
        else:
            parent[name] = rng.choice(values)
    text = json.dumps(body).replace("\\\\u", "\\u")
    data = _mutate(rng, text.encode()) if rng.random() < 0.5 else text.encode()
    return Hostile("random JSON", "POST", rng.choice(BODY_PATHS), JSON, data)


def _url(rng: random.Random) -> Hostile:
    url = _mutate(rng, rng.choice(URLS).encode(errors="replace")).decode("latin-1")[:3000]
    path, body = rng.choice(list(bodies_with_url(url)))
    return Hostile("random URL", "POST", path, JSON, json.dumps(body))


def _header(rng: random.Random) -> Hostile:
    name = rng.choice([*HEADERS])
    value = _mutate(rng, rng.choice(HEADERS[name]).encode()).decode("latin-1")[:8000]
    body = '{"prompt": "A kite"}'
    return Hostile("random header", "POST", "/v1/estimates", {**JSON, name: value}, body)


def _image(rng: random.Random) -> Hostile:
    image_format = rng.choice(("PNG", "JPEG", "WEBP", "AVIF"))
    data = _mutate(rng, _file(image_format, (rng.randint(1, 300), rng.randint(1, 300))))
    path, body = rng.choice(list(bodies_with_image(as_base64(data[: MOST_BYTES * 3 // 4]))))
    return Hostile(f"random {image_format}", "POST", path, JSON, json.dumps(body))
