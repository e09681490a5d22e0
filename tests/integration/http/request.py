"""Requests of every operation of the OpenAPI document, with good values everywhere by default."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from PIL import Image

from tests.integration.http.owners import Owner
from tests.integration.http.service import Service
from tests.support.answers import DOCUMENT, Operation
from tests.support.gateway import Reply


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    return out.getvalue()


PICTURE_BYTES = _picture()
PICTURE = base64.b64encode(PICTURE_BYTES).decode()
WISH = {"prompt": "A kite", "scenes": 1, "seconds": 2}
# The smallest good body of each operation that takes one.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/videos"): WISH,
    ("POST", "/v1/videos/{video_id}/resume"): {},
    ("POST", "/v1/videos/{video_id}/cancel"): {},
    ("POST", "/v1/estimates"): WISH,
    ("POST", "/api/generate_story"): {"prompt": "A kite"},
    ("POST", "/api/generate_single_image"): {"prompt": "A kite"},
    ("POST", "/api/generate_single_video_clip"): {"prompt": "It flies", "startImage": PICTURE},
    ("POST", "/api/merge_video_clips"): {"requestId": "none"},
    ("POST", "/api/public/generate-images"): {"prompt": "A kite", "numImages": 1},
    ("POST", "/api/public/generate-video"): {"prompt": "It flies", "images": [PICTURE]},
    ("POST", "/api/upload_image"): {"image": PICTURE},
    ("POST", "/api/public/upload-image"): {"image": PICTURE},
    ("POST", "/api/upload_video"): {"fileSize": 10},
    ("POST", "/api/convert_s3_image_to_base64"): {"id": f"med_{'0' * 26}"},
    ("POST", "/v1/uploads"): {"media_type": "image/png", "size_bytes": 10},
    ("POST", "/v1/uploads/{media_id}/complete"): {"etags": ["a"]},
    ("POST", "/api/admin/api-keys"): {"name": "n", "userId": "u"},
    ("PATCH", "/api/admin/api-keys/{key_id}"): {"name": "n"},
    ("POST", "/api/admin/api-keys/{key_id}/rotate"): {},
}

# Where in a body a field that names something stands, if not at the top.
INSIDE = {"media": ("output", "music")}


@dataclass
class Attempt:
    """A request of an operation; `name` and `value` are what is tried at a `place`."""

    operation: Operation
    place: str
    name: str
    value: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def send(self, service: Service, key: str | None) -> Reply:
        """Make the request."""
        values = {name: quote(value, safe="") for name, value in self.path.items()}
        path = self.operation.path.format(**values)
        query = f"?{urlencode(self.query)}" if self.query else ""
        # Nothing is ever finished by itself here: nobody waits for it.
        headers = {"Prefer": "wait=0", **self.headers}
        return service.call(
            self.operation.method, path + query, self.body, key=key, headers=headers
        )

    def __str__(self) -> str:
        return f"{self.operation.method} {self.operation.path}: {self.place} {self.name} = {self.value}"  # noqa: E501


def own_path(operation: Operation, owner: Owner) -> dict[str, str]:
    """Parameters of a path that lead to something of the owner's."""
    own = {"video_id": owner.finished, "media_id": owner.upload, "key_id": owner.key_id}
    own["run_id"] = owner.run
    user, request, folder, name = owner.objects[0].split("/")
    own |= {"user_id": user, "request_id": request, "folder": folder, "name": name}
    return {one["name"]: own[one["name"]] for one in operation.parameters("path")}


def fields(schema: dict[str, Any], met: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all fields of a schema, of the objects in it too."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in met:
            yield from fields(DOCUMENT["components"]["schemas"][name], (*met, name))
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields(inner, met)
    for inner in [*schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("oneOf", [])]:
        yield from fields(inner, met)
    if "items" in schema:
        yield from fields(schema["items"], met)


def named_in(body: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return the body with the field, at the place where it stands."""
    inner: Any = {name: [value] if name == "images" else value}
    for outer in reversed(INSIDE.get(name, ())):
        inner = {outer: inner}
    return {**body, **inner}
