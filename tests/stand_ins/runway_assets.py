"""Images of a request: resolving and validating them as Runway does.

An image is a data URI, a `runway://` URI of an upload, or an https URL. Nothing is fetched: a test
sets the content of an https URL with `runway.put_asset`; other URLs return 404.
"""

import base64
import binascii
import ipaddress
import json
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.stand_ins import pictures
from tests.stand_ins.multipart import Part
from tests.stand_ins.runway_rules import Invalid, Path, custom

_TYPES = ("image/jpeg", "image/png", "image/webp")
_SIDE, _LOW = 8000, 0.5
_URL_BYTES = 16 * 1024 * 1024
_UPLOAD_BYTES = (512, 200 * 1024 * 1024)
_UPLOAD_SECONDS = 24 * 3600


@dataclass(slots=True)
class Upload:
    """A started upload; `part` is set once the file is received."""

    uri: str
    fields: dict[str, str]
    started: float
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """The content of an https URL."""

    status: int
    content_type: str
    data: bytes


class Assets:
    """The uploads and the known URLs. `max_aspect` is the maximum of width / height."""

    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}
        self._known: dict[str, Asset] = {}

    def put(self, url: str, asset: Asset) -> None:
        """Set the content of an https (or runway) URL."""
        self._known[url] = asset

    def start_upload(self, now: float) -> Upload:
        """Return a new upload with the form fields that must precede the file."""
        key = f"public-api/{secrets.token_hex(12)}"
        token = base64.urlsafe_b64encode(json.dumps({"key": key}).encode()).decode().rstrip("=")
        fields = {
            "key": key,
            "policy": base64.b64encode(b'{"conditions":[]}').decode(),
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-signature": secrets.token_hex(32),
        }
        self._uploads[key] = Upload(f"runway://{token}.{secrets.token_hex(8)}", fields, now)
        return self._uploads[key]

    def receive(self, parts: list[Part]) -> str | None:
        """Store the file of an upload; return an error of the form, or None."""
        fields = {part.name: part.text() for part in parts if part.name != "file"}
        upload = self._uploads.get(fields.get("key", ""))
        if upload is None or any(fields.get(name) != v for name, v in upload.fields.items()):
            return "AccessDenied"
        if parts[-1].name != "file" or [part.name for part in parts].count("file") != 1:
            return "InvalidArgument"
        if not _UPLOAD_BYTES[0] <= len(parts[-1].data) <= _UPLOAD_BYTES[1]:
            return "EntityTooLarge" if len(parts[-1].data) > 512 else "EntityTooSmall"
        upload.part = parts[-1]
        return None

    def fetch(self, path: Path, uri: str, now: float, max_aspect: float) -> bytes:
        """Return the image's bytes. Raises Invalid."""
        if uri.startswith("data:"):
            kind, data = _inline(path, uri)
        elif uri in self._known or uri.startswith("https://"):
            kind, data = self._fetched(path, uri)
        else:
            kind, data = self._uploaded(path, uri, now)
        if kind not in _TYPES:
            raise _wrong(path, f'Unsupported Content-Type response header: "{kind}".')
        real = _check(path, data, max_aspect)
        if uri.startswith("https://") and real != kind:
            raise _wrong(path, f'The Content-Type "{kind}" does not match the media "{real}".')
        return data

    def _fetched(self, path: Path, uri: str) -> tuple[str, bytes]:
        try:
            ipaddress.ip_address(urlsplit(uri).hostname or "")
        except ValueError:
            asset = self._known.get(uri, Asset(404, "text/html", b""))
        else:
            raise _wrong(path, "URL must use a domain name, not an IP address.")
        if asset.status != 200:
            message = f'Failed to fetch asset. Received HTTP response code "{asset.status}".'
            raise _wrong(path, message)
        if len(asset.data) > _URL_BYTES:
            raise _wrong(path, "Asset size exceeds 16.0MB.")
        return asset.content_type, asset.data

    def _uploaded(self, path: Path, uri: str, now: float) -> tuple[str, bytes]:
        upload = next((u for u in self._uploads.values() if u.uri == uri), None)
        if upload is None or upload.part is None or now > upload.started + _UPLOAD_SECONDS:
            raise _wrong(path, "Failed to fetch asset. The upload does not exist or has expired.")
        try:
            return pictures.look(upload.part.data)[0], upload.part.data
        except ValueError:
            return upload.part.content_type or "application/octet-stream", upload.part.data


def _inline(path: Path, uri: str) -> tuple[str, bytes]:
    head, _, text = uri.partition(",")
    kind, _, coding = head.removeprefix("data:").partition(";")
    try:
        if coding != "base64":
            raise ValueError("not base64")
        return kind, base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(path, "Invalid data URI: expected base64-encoded data.") from None


def _check(path: Path, data: bytes, max_aspect: float) -> str:
    try:
        real, width, height = pictures.look(data)
    except ValueError:
        raise _wrong(path, "Invalid asset. The image could not be decoded.") from None
    if real not in _TYPES:
        raise _wrong(path, f'Unsupported asset type "{real}".')
    if max(width, height) > _SIDE:
        raise _wrong(path, f"Invalid asset dimensions. Each side may have at most {_SIDE} pixels.")
    ratio, start = width / height, "Invalid asset aspect ratio. width / height ratio must be"
    if ratio < _LOW:
        raise _wrong(path, f"{start} at least {_LOW:g}. Got {ratio:.3f}.")
    if ratio > max_aspect:
        raise _wrong(path, f"{start} at most {max_aspect:g}. Got {ratio:.3f}.")
    return real


def _wrong(path: Path, message: str) -> Invalid:
    return Invalid(custom(path[:1], message))
