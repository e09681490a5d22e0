"""A stand-in for Runway.

    with runway.serve(tmp_path) as vendor:
        RunwayML(base_url=vendor.base_url, api_key=vendor.api_key, max_retries=0)

Endpoints (names for `fault`): `image_to_video`, `text_to_video`, `uploads`, `tasks.get`,
`tasks.delete`, `organization`, `organization.usage`, and on the media host `upload` (the POST of
the file) and `outputs` (the download).

General modes are in `faults`, modes of a task in `runway_tasks`. Others:

image_to_video  no_credits, daily_limit
tasks.get       unknown_status (option `status`): for this response only
outputs         expired (this URL, permanently: another GET of the task returns a new one),
                wrong_type (a PNG), corrupt (right type and length, not decodable),
                short_clip (a second less), small_clip (half the size), oversize (`megabytes`, 300)
                and the general modes truncated, html, slow, 404, 503

Options: `api_key`; `pending_seconds`, `running_seconds` (duration of the states); `concurrency`
(tasks of one model at a time, None: no limit); `daily_generations` (per model, or None);
`credits` (the initial balance); `output_seconds` (lifetime of an output's URL);
`max_aspect` (width / height of input images: 2.0 is the documented limit; an image of
1584x672 exceeds it); `clips` (cache folder of clips, which stand-ins may share);
`latency` {endpoint: seconds}.

Charges are in credits, with the seed and the prompt. Refunds of failed or canceled tasks are
recorded as `refund`. A key that is sent to the media host is rejected and recorded as a leak.
"""

import base64
import time
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.stand_ins import (
    pictures,
    process,
    runway_assets,
    runway_media,
    runway_rules,
    runway_tasks,
    vectors,
)
from tests.stand_ins import runway_account as account
from tests.stand_ins.charge_book import fingerprint
from tests.stand_ins.faults import Fault
from tests.stand_ins.process import StandIn
from tests.stand_ins.runway_media import Media
from tests.stand_ins.runway_rules import JSON, Invalid
from tests.stand_ins.runway_tasks import Task
from tests.stand_ins.vendor import Context
from tests.stand_ins.wire import Request, WireResponse, as_json

VERSION = "2024-11-06"
_DAY = 24 * 3600
# Runway: "poll at most once every 5 seconds" for a task. Less, as test clocks are coarse.
_LEAST_POLL_SECONDS = 4.9
_BODY = 10 * 1024 * 1024
_PATHS = {
    ("POST", "/v1/image_to_video"): "image_to_video",
    ("POST", "/v1/text_to_video"): "text_to_video",
    ("POST", "/v1/uploads"): "uploads",
    ("GET", "/v1/organization"): "organization",
    ("POST", "/v1/organization/usage"): "organization.usage",
}
# Credits for a second: (without sound, with sound).
_PRICES = {"gen4_turbo": (5, 5), "gen4.5": (12, 12), "veo3.1": (20, 40), "veo3.1_fast": (10, 15)}
_ERROR_RESPONSES = {
    "401": "runway_error_401",
    "404": "runway_error_404_task",
    "413": "runway_error_413",
    "429": "runway_error_429",
    "502": "runway_error_502",
    "503": "runway_error_503",
    "504": "runway_error_504",
}
_REFUSALS = {
    "no_credits": "runway_error_400_insufficient_credits",
    "daily_limit": "runway_error_429_daily",
}


def serve(folder: Path, port: int = 0, **options: Any) -> AbstractContextManager[StandIn]:
    """Run the stand-in in a separate process within the context."""
    return process.serve("runway", folder, port, **options)


def put_asset(
    stand_in: StandIn, url: str, data: bytes, content_type: str = "image/png", status: int = 200
) -> None:
    """Set the content that Runway finds at an https URL."""
    stand_in.control(
        "asset",
        url=url,
        data=base64.b64encode(data).decode(),
        content_type=content_type,
        status=status,
    )


def too_fast(stand_in: StandIn) -> list[float]:
    """Return the pauses between polls of a task that were shorter than Runway allows."""
    pauses: list[float] = stand_in.control("too_fast")
    return pauses


def create(context: Context) -> "Runway":
    """Return the vendor. Called in the stand-in's process."""
    return Runway(context)


class Runway:
    """The behaviour of the vendor."""

    name = "runway"
    hosts: tuple[str, ...] = ("api", "media")
    id_key = "id"
    paid = frozenset({"image_to_video", "text_to_video"})

    def __init__(self, context: Context) -> None:
        self.spoken = {status: vectors.answer(name) for status, name in _ERROR_RESPONSES.items()}
        self.defaults: dict[str, Any] = {
            "api_key": f"key_{'0123456789abcdef' * 8}",
            "pending_seconds": 0.1,
            "running_seconds": 0.2,
            "concurrency": 5,
            "daily_generations": None,
            "credits": 10_000,
            "output_seconds": _DAY,
            "max_aspect": 2.0,
            "clips": None,
            "latency": {},
        }
        submit = runway_tasks.MODES | set(_REFUSALS)
        nothing: frozenset[str] = frozenset()
        self.modes = {
            "image_to_video": submit,
            "text_to_video": submit,
            "uploads": nothing,
            "upload": nothing,
            "tasks.get": frozenset({"unknown_status"}),
            "tasks.delete": nothing,
            "organization": nothing,
            "organization.usage": nothing,
            "outputs": runway_media.MODES,
        }
        self._context = context
        self._tasks = runway_tasks.Tasks()
        self._assets = runway_assets.Assets()
        self._media = Media(context, self._tasks, self._assets)
        self._polled: dict[str, float] = {}
        self._too_fast: list[float] = []

    def facts(self) -> dict[str, Any]:
        """Return the settings of a client."""
        return {"base_url": self._context.urls["api"], "api_key": self._context.options["api_key"]}

    def endpoint(self, host: str, request: Request) -> str | None:
        """Return the name of the requested endpoint."""
        if host == "media":
            return "upload" if request.method == "POST" else "outputs"
        if request.path.startswith("/v1/tasks/"):
            return {"GET": "tasks.get", "DELETE": "tasks.delete"}.get(request.method)
        return _PATHS.get((request.method, request.path))

    def unknown(self, request: Request) -> WireResponse:
        """Return the response to a request for no known endpoint."""
        if request.path in [path for _, path in _PATHS]:
            return as_json(405, {"error": "Method not allowed"}, JSON)
        return as_json(404, {"error": "Not found"}, JSON)

    def dress(self, host: str, answer: WireResponse) -> WireResponse:
        """Add nothing: there are no common headers."""
        return answer

    def control(self, name: str, body: dict[str, Any]) -> Any:
        """Handle `asset` (the content of an https URL) and `too_fast` (the too short pauses)."""
        if name == "too_fast":
            return self._too_fast
        if name != "asset":
            raise KeyError(name)
        data = base64.b64decode(body["data"])
        asset = runway_assets.Asset(body["status"], body["content_type"], data)
        self._assets.put(body["url"], asset)
        return None

    def settle(self) -> None:
        """Record the refunds of tasks that have failed."""
        now = self._context.clock.now()
        with self._tasks.lock:
            for task in self._tasks.all():
                if not task.settled and task.status(now) == "FAILED":
                    self._refund(task, task.credits - task.cost())

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        """Process a request."""
        time.sleep(self._context.options["latency"].get(endpoint, 0))
        if endpoint in ("upload", "outputs"):
            return self._media.answer(endpoint, request, fault)
        if refusal := self._refusal(request):
            return refusal
        if fault and fault.mode in _REFUSALS:
            return vectors.answer(_REFUSALS[fault.mode])
        try:
            if endpoint in self.paid:
                return self._submit(endpoint, request, fault)
            if endpoint == "uploads":
                return self._media.start_upload(request.json())
        except Invalid as invalid:
            return invalid.answer
        if endpoint == "organization":
            return as_json(
                200, account.organization(self._context, self._tasks, list(_PRICES)), JSON
            )
        if endpoint == "organization.usage":
            return account.usage(self._context, request.json())
        return self._task(endpoint, request.path.rpartition("/")[2], fault)

    def _refusal(self, request: Request) -> WireResponse | None:
        if len(request.body) > _BODY:
            return vectors.answer("runway_error_413")
        if request.headers.get("authorization") != f"Bearer {self._context.options['api_key']}":
            return vectors.answer("runway_error_401")
        if request.headers.get("x-runway-version") != VERSION:
            message = f"X-Runway-Version request header must be {VERSION}"
            return as_json(400, {"error": message, "docUrl": runway_rules.DOCS}, JSON)
        if request.method == "POST":
            try:
                request.json()
            except ValueError:
                return as_json(400, {"error": "The request body is not valid JSON."}, JSON)
        return None

    # -- tasks -------------------------------------------------------------------------------------
    def _submit(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        body, options, now = request.json(), self._context.options, self._context.clock.now()
        runway_rules.check(endpoint, body)
        model, colour = body["model"], pictures.colour(body.get("promptText", "").encode())
        if model not in _PRICES:
            return as_json(400, {"error": f"This stand-in has no price for {model}."}, JSON)
        for path, uri in _pictures(body.get("promptImage")):
            data = self._assets.fetch(path, uri, now, options["max_aspect"])
            colour = pictures.mean_colour(data)
        seconds = int(body.get("duration", 10 if model.startswith("gen4") else 8))
        price = _PRICES[model][body.get("audio") is not False] * seconds
        width, height = (int(side) for side in body["ratio"].split(":"))
        with self._tasks.lock:
            limit = options["daily_generations"]
            if limit is not None and self._tasks.born_since(model, now - _DAY) >= limit:
                return vectors.answer(_REFUSALS["daily_limit"])
            if account.balance(self._context) < price:
                return vectors.answer(_REFUSALS["no_credits"])
            task = Task(
                model,
                price,
                (width, height),
                seconds,
                colour,
                now,
                options["pending_seconds"],
                options["running_seconds"],
                fault if fault and fault.mode in runway_tasks.MODES else None,
            )
            self._context.book.charge(
                at=now,
                kind=endpoint,
                model=model,
                amount=Decimal(price),
                unit="credits",
                fingerprint=fingerprint(endpoint, body),
                prompt=body.get("promptText", ""),
                marker=request.headers.get("x-client-request-id"),
                seed=body.get("seed"),
                job=task.id,
                fault=fault.mode if fault else None,
            )
            self._tasks.add(task, options["concurrency"])
        return as_json(200, {"id": task.id, "estimatedCost": {"credits": price}}, JSON)

    def _task(self, endpoint: str, task_id: str, fault: Fault | None) -> WireResponse:
        now, task = self._context.clock.now(), self._tasks.find(task_id)
        if endpoint == "tasks.get":
            pause = now - self._polled.get(task_id, 0)
            self._polled[task_id] = now
            if pause < _LEAST_POLL_SECONDS:
                self._too_fast.append(pause)
        view = task.view(now) if task else None
        if task is None or view is None:
            return vectors.answer("runway_error_404_task")
        if endpoint == "tasks.delete":
            if task.status(now) in ("PENDING", "THROTTLED"):
                self._refund(task, task.credits)
            self._tasks.remove(task, now, self._context.options["concurrency"])
            return WireResponse(204)
        if fault and fault.mode == "unknown_status":
            view["status"] = fault.options.get("status", "PAUSED")
        elif view["status"] == "SUCCEEDED":
            view["output"] = [self._media.address(task, now)] if task.has_output(now) else []
        return as_json(200, view, JSON)

    def _refund(self, task: Task, amount: int) -> None:
        task.settled = True
        if amount:
            now = self._context.clock.now()
            self._context.book.refund(at=now, job=task.id, amount=Decimal(amount))


def _pictures(given: Any) -> list[tuple[tuple[str | int, ...], str]]:
    if given is None:
        return []
    if isinstance(given, str):
        return [(("promptImage",), given)]
    last_first = sorted(enumerate(given), key=lambda item: item[1]["position"], reverse=True)
    return [(("promptImage", number, "uri"), item["uri"]) for number, item in last_first]
