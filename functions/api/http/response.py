"""A response as a value, which can be stored for its idempotency key before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from api.http.middleware import JSON


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A status, the headers specific to this response, and a JSON body.

    `video_id` is the video in the body, if any.
    """

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    video_id: str | None = None

    def with_body(self, body: BaseModel, *, ended: bool) -> "JsonResponse":
        """Return a copy with another body; once the run has ended, 200 without Retry-After."""
        response = replace(self, body=body.model_dump_json())
        if not ended:
            return response
        headers = {name: value for name, value in self.headers.items() if name != "Retry-After"}
        return replace(response, status=200, headers=headers)

    def response(self, **headers: str) -> Response[str]:
        """Return the Powertools response, with extra headers; `_` in a name stands for `-`."""
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(
            status_code=self.status,
            content_type=JSON,
            body=self.body,
            headers={**self.headers, **extra},
        )
