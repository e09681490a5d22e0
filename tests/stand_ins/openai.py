"""A stand-in for OpenAI.

    with openai.serve(tmp_path) as vendor:
        OpenAI(base_url=vendor.base_url, api_key=vendor.api_key, max_retries=0)

Endpoints (names for `fault`): `responses`, `chat.completions`, `images.generations`,
`images.edits`, `audio.speech`, `models`, `models.get`. General modes are in `faults`, others in
`openai_responses`, `openai_chat`, `openai_images` and `openai_speech`. Every endpoint also has

quota moderation_input moderation_output unverified   as OpenAI returns them; nothing is charged

Options: `api_key`; `latency` {endpoint: seconds}; `images_per_minute` (counts input images; a
call without any counts as 1; None is no limit); `organization_verified`.
Charges are in US dollars; the marker is the header X-Client-Request-Id, else metadata or
safety_identifier.
"""

import json
import secrets
import time
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.stand_ins import (
    multipart,
    openai_chat,
    openai_images,
    openai_models,
    openai_responses,
    openai_speech,
    process,
    vectors,
)
from tests.stand_ins.charge_book import fingerprint
from tests.stand_ins.faults import Fault
from tests.stand_ins.openai_errors import Refused
from tests.stand_ins.openai_limits import ImageRateLimit
from tests.stand_ins.vendor import Context
from tests.stand_ins.wire import Request, WireResponse, as_json

_PATHS = {
    ("POST", "/v1/responses"): "responses",
    ("POST", "/v1/chat/completions"): "chat.completions",
    ("POST", "/v1/images/generations"): "images.generations",
    ("POST", "/v1/images/edits"): "images.edits",
    ("POST", "/v1/audio/speech"): "audio.speech",
    ("GET", "/v1/models"): "models",
}
_ERROR_RESPONSES = {
    "401": "openai_error_401_invalid_key",
    "403": "openai_error_403_region",
    "404": "openai_error_404_model",
    "429": "openai_error_429_rate_limit_images",
    "500": "openai_error_500_server_error",
    "502": "openai_error_502_html",
    "503": "openai_error_503_overloaded",
}
_REFUSALS = {
    "quota": "openai_error_429_credit_balance_exhausted",
    "moderation_input": "openai_error_400_moderation_blocked_input",
    "moderation_output": "openai_error_400_moderation_blocked_output",
    "unverified": "openai_error_403_org_not_verified",
}


def serve(folder: Path, port: int = 0, **options: Any) -> AbstractContextManager[process.StandIn]:
    """Run the stand-in in a separate process within the context."""
    return process.serve("openai", folder, port, **options)


def create(context: Context) -> "OpenAI":
    """Return the vendor. Called in the stand-in's process."""
    return OpenAI(context)


class OpenAI:
    """The behaviour of the vendor."""

    name = "openai"
    hosts: tuple[str, ...] = ("api",)
    id_key = "id"
    paid = frozenset(
        {"responses", "chat.completions", "images.generations", "images.edits", "audio.speech"}
    )

    def __init__(self, context: Context) -> None:
        self.spoken = {status: vectors.answer(name) for status, name in _ERROR_RESPONSES.items()}
        self.defaults: dict[str, Any] = {
            "api_key": "sk-proj-standin0123456789abcdefghijklmnop",
            "latency": {},
            "images_per_minute": None,
            "organization_verified": True,
        }
        refusals = frozenset(_REFUSALS)
        self.modes = {
            "responses": openai_responses.MODES | refusals,
            "chat.completions": openai_chat.MODES | openai_speech.CHAT_MODES | refusals,
            "audio.speech": openai_speech.MODES | refusals,
            "images.generations": openai_images.MODES | refusals,
            "images.edits": openai_images.MODES | refusals,
            "models": refusals,
            "models.get": refusals,
        }
        self._context = context
        self._minute = ImageRateLimit()

    def settle(self) -> None:
        """Do nothing: OpenAI has no jobs."""

    def facts(self) -> dict[str, Any]:
        """Return the settings of a client."""
        url = self._context.urls["api"]
        return {"base_url": f"{url}/v1", "api_key": self._context.options["api_key"]}

    def endpoint(self, host: str, request: Request) -> str | None:
        """Return the name of the requested endpoint."""
        if request.method == "GET" and request.path.startswith("/v1/models/"):
            return "models.get"
        return _PATHS.get((request.method, request.path))

    def unknown(self, request: Request) -> WireResponse:
        """Return the response to a request for no known endpoint."""
        message = f"Invalid URL ({request.method} {request.path})"
        return Refused(404, message, code=None).answer

    def dress(self, host: str, answer: WireResponse) -> WireResponse:
        """Add the headers of every response."""
        return answer.plus(
            {
                "x-request-id": f"req_{secrets.token_hex(16)}",
                "openai-processing-ms": "412",
                "openai-version": "2020-10-01",
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-limit-tokens": "500000",
                "x-ratelimit-remaining-tokens": "499440",
                "x-ratelimit-reset-tokens": "67ms",
            }
        )

    def control(self, name: str, body: dict[str, Any]) -> Any:
        """Raise KeyError: there are no own control requests."""
        raise KeyError(name)

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        """Process a request."""
        time.sleep(self._context.options["latency"].get(endpoint, 0))
        try:
            self._authorize(request)
            if fault and fault.mode in _REFUSALS:
                return vectors.answer(_REFUSALS[fault.mode])
            if endpoint == "models":
                return as_json(200, openai_models.listing())
            if endpoint == "models.get":
                return _one_model(request.path.rpartition("/")[2])
            if endpoint.startswith("images."):
                return self._paint(endpoint, request, fault)
            if endpoint == "audio.speech" or openai_speech.is_chat(_body(request)):
                return self._speak(endpoint, request, fault)
            return self._write(endpoint, request, fault)
        except Refused as refused:
            return refused.answer

    def _authorize(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            raise Refused(
                401,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                code=None,
            )
        if given != self._context.options["api_key"]:
            raise Refused(
                401,
                f"Incorrect API key provided: {given[:8]}{'*' * 8}{given[-4:]}. You can find your "
                "API key at https://platform.openai.com/account/api-keys.",
                code="invalid_api_key",
            )

    # -- text --------------------------------------------------------------------------------------
    def _write(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        body = _body(request)
        work = openai_chat if endpoint == "chat.completions" else openai_responses
        checked = work.check(body)
        result = work.respond(checked, self._context.clock.now(), fault)
        if result.usd:
            self._charge(endpoint, request, body, result.usd, fault, result.body["id"])
        return as_json(200, result.body)

    # -- speech ------------------------------------------------------------------------------------
    def _speak(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        body = _body(request)
        if endpoint == "audio.speech":
            spoken = openai_speech.speak(openai_speech.check_speech(body), fault)
            answer = WireResponse(200, spoken.data, {"content-type": "audio/wav"})
        else:
            checked = openai_speech.check_chat(body)
            spoken = openai_speech.complete(checked, self._context.clock.now(), fault)
            answer = as_json(200, spoken.body)
        self._charge(endpoint, request, body, spoken.usd, fault, spoken.body.get("id"))
        return answer

    # -- images ------------------------------------------------------------------------------------
    def _paint(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        if endpoint == "images.generations":
            checked = openai_images.check_generation(_body(request))
        else:
            checked = openai_images.check_edit(_parts(request))
        if not self._context.options["organization_verified"]:
            return vectors.answer(_REFUSALS["unverified"])
        self._minute.count(
            checked.fields["model"],
            max(1, len(checked.inputs)),
            self._context.options["images_per_minute"],
            self._context.clock.now(),
        )
        tokens = openai_images.usage(checked)
        mode = fault.mode if fault else ""
        value = openai_images.paint(checked, self._context.clock.now(), tokens, mode)
        self._charge(endpoint, request, checked.fields, openai_images.price(tokens), fault)
        return _stream(endpoint, value) if checked.fields.get("stream") else as_json(200, value)

    def _charge(
        self,
        endpoint: str,
        request: Request,
        fields: dict[str, Any],
        usd: Decimal,
        fault: Fault | None,
        job: str | None = None,
    ) -> None:
        metadata = fields.get("metadata")
        marker = request.headers.get("x-client-request-id") or (
            json.dumps(metadata, sort_keys=True) if metadata else fields.get("safety_identifier")
        )
        prompt = fields.get("prompt") or fields.get("input") or fields.get("messages")
        self._context.book.charge(
            at=self._context.clock.now(),
            kind=endpoint,
            model=fields["model"],
            amount=usd,
            unit="usd",
            fingerprint=_fingerprint(endpoint, request),
            prompt=prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False),
            marker=marker,
            job=job,
            fault=fault.mode if fault else None,
        )


def _body(request: Request) -> Any:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(
            400,
            "Unsupported content type. This endpoint takes 'application/json'.",
            code="unsupported_content_type",
        )
    try:
        return request.json()
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise Refused(400, message, code=None) from None


def _parts(request: Request) -> list[multipart.Part]:
    try:
        return multipart.parse(request.headers, request.body)
    except ValueError as error:
        raise Refused(400, f"Could not parse multipart form. {error}", code=None) from None


def _fingerprint(endpoint: str, request: Request) -> str:
    if endpoint != "images.edits":
        return fingerprint(endpoint, request.json())
    parts = multipart.parse(request.headers, request.body)
    return fingerprint(endpoint, *(data for p in parts for data in (p.name.encode(), p.data)))


def _one_model(name: str) -> WireResponse:
    matching = [model for model in _listed() if model["id"] == name]
    if matching:
        return as_json(200, matching[0])
    return Refused(
        404,
        f"The model '{name}' does not exist",
        code="model_not_found",
        param="model",
    ).answer


def _listed() -> list[dict[str, Any]]:
    models: Any = openai_models.listing()["data"]
    return list(models)


def _stream(endpoint: str, value: dict[str, Any]) -> WireResponse:
    kind = "image_generation" if endpoint == "images.generations" else "image_edit"
    data = {
        "type": f"{kind}.completed",
        "b64_json": value["data"][0]["b64_json"],
        "created_at": value["created"],
        "usage": {k: v for k, v in value["usage"].items() if k != "output_tokens_details"},
        **{name: value[name] for name in ("size", "quality", "background", "output_format")},
    }
    text = f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"
    return WireResponse(200, text.encode(), {"content-type": "text/event-stream"})
