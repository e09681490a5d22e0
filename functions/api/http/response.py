"""An answer that is put together before it is sent, because it is also kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from api.http.middleware import JSON


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A status, headers of this answer alone, and a body of JSON. `video_id`: what it is about."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    video_id: str | None = None

    def now(self, body: BaseModel, *, ended: bool) -> "JsonResponse":
        """Return it with what there is to show now; 200, and no time to look again, at the end."""
        answer = replace(self, body=body.model_dump_json())
        if not ended:
            return answer
        headers = {name: value for name, value in self.headers.items() if name != "Retry-After"}
        return replace(answer, status=200, headers=headers)

    def response(self, **headers: str) -> Response[str]:
        """Return it as Powertools sends it, with more headers; `_` in a name stands for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(
            status_code=self.status,
            content_type=JSON,
            body=self.body,
            headers={**self.headers, **more},
        )
