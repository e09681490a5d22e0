"""Requests of every operation of the OpenAPI document, with valid values by default."""

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


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    return out.getvalue()


IMAGE_BYTES = _png()
IMAGE = base64.b64encode(IMAGE_BYTES).decode()
VIDEO_BODY = {"prompt": "A kite", "scenes": 1, "seconds": 2}
# The smallest valid body of each operation that takes one.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/videos"): VIDEO_BODY,
    ("POST", "/v1/videos/{video_id}/resume"): {},
    ("POST", "/v1/videos/{video_id}/cancel"): {},
    ("POST", "/v1/estimates"): VIDEO_BODY,
    ("POST", "/api/generate_story"): {"prompt": "A kite"},
    ("POST", "/api/generate_single_image"): {"prompt": "A kite"},
    ("POST", "/api/generate_single_video_clip"): {"prompt": "It flies", "startImage": IMAGE},
    ("POST", "/api/merge_video_clips"): {"requestId": "none"},
    ("POST", "/api/public/generate-images"): {"prompt": "A kite", "numImages": 1},
    ("POST", "/api/public/generate-video"): {"prompt": "It flies", "images": [IMAGE]},
    ("POST", "/api/upload_image"): {"image": IMAGE},
    ("POST", "/api/public/upload-image"): {"image": IMAGE},
    ("POST", "/api/upload_video"): {"fileSize": 10},
    ("POST", "/api/convert_s3_image_to_base64"): {"id": f"med_{'0' * 26}"},
    ("POST", "/v1/uploads"): {"media_type": "image/png", "size_bytes": 10},
    ("POST", "/v1/uploads/{media_id}/complete"): {"etags": ["a"]},
    ("POST", "/api/admin/api-keys"): {"name": "n", "userId": "u"},
    ("PATCH", "/api/admin/api-keys/{key_id}"): {"name": "n"},
    ("POST", "/api/admin/api-keys/{key_id}/rotate"): {},
}

# Parents of fields that are not at the top level of a body.
PARENTS = {"media": ("output", "music")}


@dataclass
class RequestCase:
    """A request of an operation, with the `value` under test in the `name` at a `location`."""

    operation: Operation
    location: str
    name: str
    value: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def send(self, service: Service, key: str | None) -> Reply:
        """Send the request and return the response."""
        values = {name: quote(value, safe="") for name, value in self.path.items()}
        path = self.operation.path.format(**values)
        query = f"?{urlencode(self.query)}" if self.query else ""
        # No run ever finishes here, so do not wait for one.
        headers = {"Prefer": "wait=0", **self.headers}
        return service.call(
            self.operation.method, path + query, self.body, key=key, headers=headers
        )

    def __str__(self) -> str:
        return f"{self.operation.method} {self.operation.path}: {self.location} {self.name} = {self.value}"  # noqa: E501


def path_parameters(operation: Operation, owner: Owner) -> dict[str, str]:
    """Return path parameters that name the owner's resources."""
    values = {"video_id": owner.finished, "media_id": owner.upload, "key_id": owner.key_id}
    values["run_id"] = owner.run
    user, request, folder, name = owner.objects[0].split("/")
    values |= {"user_id": user, "request_id": request, "folder": folder, "name": name}
    return {
        parameter["name"]: values[parameter["name"]] for parameter in operation.parameters("path")
    }


def fields(schema: dict[str, Any], visited: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all fields of a schema and of its nested objects."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in visited:
            yield from fields(DOCUMENT["components"]["schemas"][name], (*visited, name))
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields(inner, visited)
    for inner in [*schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("oneOf", [])]:
        yield from fields(inner, visited)
    if "items" in schema:
        yield from fields(schema["items"], visited)


def with_field(body: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return the body with the field added at its path."""
    nested: Any = {name: [value] if name == "images" else value}
    for parent in reversed(PARENTS.get(name, ())):
        nested = {parent: nested}
    return {**body, **nested}
