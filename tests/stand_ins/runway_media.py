"""Runway's media host of uploads and outputs, which must not receive the API key."""

from pathlib import Path
from typing import Any

from tests.stand_ins import clips, multipart, pictures, runway_rules, runway_tasks
from tests.stand_ins.faults import Fault
from tests.stand_ins.runway_assets import Assets
from tests.stand_ins.runway_rules import JSON
from tests.stand_ins.runway_tasks import Task, Tasks
from tests.stand_ins.vendor import Context
from tests.stand_ins.wire import Request, WireResponse, as_html, as_json

_CLIPS = frozenset({"wrong_type", "corrupt", "short_clip", "small_clip", "oversize"})
MODES = _CLIPS | {"expired"}


class Media:
    """The behaviour of the media host."""

    def __init__(self, context: Context, tasks: Tasks, assets: Assets) -> None:
        self._context, self._tasks, self._assets = context, tasks, assets

    def start_upload(self, body: Any) -> WireResponse:
        """Return the response of POST /v1/uploads, which is on the API host. Raises Invalid."""
        runway_rules.check_upload(body)
        upload = self._assets.start_upload(self._context.clock.now())
        address = f"{self._context.urls['media']}/"
        return as_json(
            200, {"uploadUrl": address, "fields": upload.fields, "runwayUri": upload.uri}, JSON
        )

    def address(self, task: Task, now: float) -> str:
        """Return a fresh URL of the task's output."""
        token, ends = runway_tasks.token(now, self._context.options["output_seconds"])
        task.outputs[token] = ends
        return f"{self._context.urls['media']}/{task.id}/video.mp4?_jwt={token}"

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        """Receive an upload or return an output."""
        places = self._places_of_key(request)
        for place in places:
            now = self._context.clock.now()
            self._context.book.leak(at=now, method=request.method, path=request.path, place=place)
        if places:
            return _error(400, "InvalidArgument")
        return self._receive(request) if endpoint == "upload" else self._download(request, fault)

    def _places_of_key(self, request: Request) -> list[str]:
        key = self._context.options["api_key"]
        values = {**request.headers, "the query": str(request.query)}
        places = [name for name, value in values.items() if key in value]
        if "authorization" in request.headers and "authorization" not in places:
            places.append("authorization")
        return [*places, "the body"] if key.encode() in request.body else places

    def _receive(self, request: Request) -> WireResponse:
        try:
            wrong = self._assets.receive(multipart.parse(request.headers, request.body))
        except ValueError:
            wrong = "MalformedPOSTRequest"
        if wrong is None:
            return WireResponse(204)
        return _error(403 if wrong == "AccessDenied" else 400, wrong)

    def _download(self, request: Request, fault: Fault | None) -> WireResponse:
        token = request.query.get("_jwt", "")
        task = self._tasks.of_output(token)
        if task is None or f"/{task.id}/" not in request.path:
            return _error(403, "AccessDenied")
        mode = fault.mode if fault else ""
        if mode == "expired":
            task.outputs[token] = 0
        if task.outputs[token] <= self._context.clock.now():
            return as_html(403, "The address has expired")
        if mode == "wrong_type":
            return WireResponse(
                200, pictures.draw((64, 36), "no clip"), {"content-type": "image/png"}
            )
        data = self._clip(task, mode)
        if fault and mode == "oversize":
            data = data.ljust(int(fault.options.get("megabytes", 300)) * 2**20, b"\0")
        if mode == "corrupt":
            data = data[:32] + bytes(len(data) - 32)
        return WireResponse(200, data, {"content-type": "video/mp4"})

    def _clip(self, task: Task, mode: str) -> bytes:
        width, height = task.size
        size = (width // 4 * 2, height // 4 * 2) if mode == "small_clip" else task.size
        seconds = task.seconds - 1 if mode == "short_clip" else task.seconds
        folder = Path(self._context.options["clips"] or self._context.folder / "clips")
        return clips.make(folder, size, seconds, task.colour)


def _error(status: int, code: str) -> WireResponse:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return WireResponse(status, body.encode(), {"content-type": "application/xml"})
