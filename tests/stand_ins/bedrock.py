"""A stand-in for Amazon Bedrock's runtime: asynchronous invocations of Luma Ray 2.

    with bedrock.serve(tmp_path, s3_endpoint=s3_url) as vendor:
        boto3.client("bedrock-runtime", endpoint_url=vendor.url, region_name="us-west-2", ...)

Endpoints (names for `fault`): `async_invoke.start`, `async_invoke.get`, `async_invoke.list`.
General modes are in `faults` (401 does not exist here). Its own modes:

all endpoints     throttled, quota, access_denied: as AWS returns them; nothing is charged
start             failed (option `message`; refunded), stuck (InProgress
                  forever), no_output (Completed without a file), lost (the file goes
                  to S3, but the status stays InProgress)

Options: `running_seconds`; `s3_endpoint` (where output.mp4 is put; None keeps the files in memory,
`bedrock.outputs` returns them); `clips` (cache folder of clips); `latency`.
Charges are in US dollars; the marker is the client request token. A repeated request with the same
token returns the same invocation and is not charged again.
"""

import base64
import secrets
import string
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from tests.stand_ins import bedrock_rules, clips, process
from tests.stand_ins.bedrock_jobs import Invocation, put_in_s3, seconds
from tests.stand_ins.bedrock_rules import CheckedRequest, Invalid, error
from tests.stand_ins.charge_book import fingerprint
from tests.stand_ins.faults import Fault
from tests.stand_ins.process import StandIn
from tests.stand_ins.vendor import Context
from tests.stand_ins.wire import Request, WireResponse, as_html, as_json

_ACCOUNT = "123456789012"
_PATH = "/async-invoke"
_REFUSALS = {
    "throttled": ("ThrottlingException", "Too many requests, please wait before trying again."),
    "quota": ("ServiceQuotaExceededException", "Your request exceeds the service quota."),
    "access_denied": (
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
}
_INVOCATION_MODES = frozenset({"failed", "stuck", "no_output", "lost"})


def serve(folder: Path, port: int = 0, **options: Any) -> AbstractContextManager[StandIn]:
    """Run the stand-in in a separate process within the context."""
    return process.serve("bedrock", folder, port, **options)


def outputs(stand_in: StandIn) -> dict[str, bytes]:
    """Return the finished files by S3 URI, if the stand-in has no `s3_endpoint`."""
    stored: dict[str, str] = stand_in.control("outputs")
    return {uri: base64.b64decode(data) for uri, data in stored.items()}


def create(context: Context) -> "Bedrock":
    """Return the vendor. Called in the stand-in's process."""
    return Bedrock(context)


@dataclass(slots=True)
class Bedrock:
    """The behaviour of the Bedrock runtime."""

    _context: Context
    name: str = "bedrock"
    hosts: tuple[str, ...] = ("api",)
    id_key: str = "invocationArn"
    paid: frozenset[str] = frozenset({"async_invoke.start"})
    defaults: dict[str, Any] = field(
        default_factory=lambda: {
            "running_seconds": 0.3,
            "s3_endpoint": None,
            "clips": None,
            "latency": {},
        }
    )
    spoken: dict[str, WireResponse] = field(
        default_factory=lambda: {
            "403": error(*_REFUSALS["access_denied"]),
            "429": error(*_REFUSALS["throttled"]),
            "500": error("InternalServerException", "An internal server error occurred."),
            "503": error("ServiceUnavailableException", "The service is unavailable."),
        }
    )
    modes: dict[str, frozenset[str]] = field(
        default_factory=lambda: {
            "async_invoke.start": _INVOCATION_MODES | set(_REFUSALS),
            "async_invoke.get": frozenset(_REFUSALS),
            "async_invoke.list": frozenset(_REFUSALS),
        }
    )
    _invocations: dict[str, Invocation] = field(default_factory=dict)
    _kept: dict[str, bytes] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def facts(self) -> dict[str, Any]:
        """Return the settings of a client."""
        return {"base_url": self._context.urls["api"], "api_key": ""}

    def endpoint(self, host: str, request: Request) -> str | None:
        """Return the name of the requested endpoint."""
        if request.path == _PATH:
            kinds = {"POST": "async_invoke.start", "GET": "async_invoke.list"}
            return kinds.get(request.method)
        if request.method == "GET" and request.path.startswith(f"{_PATH}/"):
            return "async_invoke.get"
        return None

    def unknown(self, request: Request) -> WireResponse:
        """Return the response to a request for no known endpoint."""
        return as_html(404, f"{request.method} {request.path}")

    def dress(self, host: str, answer: WireResponse) -> WireResponse:
        """Add the request id."""
        return answer.plus({"x-amzn-requestid": secrets.token_hex(16)})

    def control(self, name: str, body: dict[str, Any]) -> Any:
        """Handle `outputs`: return the stored files."""
        if name != "outputs":
            raise KeyError(name)
        return {uri: base64.b64encode(data).decode() for uri, data in self._kept.items()}

    def settle(self) -> None:
        """Finish the invocations that are due."""
        now = self._context.clock.now()
        with self._lock:
            for invocation in self._invocations.values():
                if invocation.ends <= now and not invocation.delivered:
                    self._finish(invocation, now)

    def answer(self, endpoint: str, request: Request, fault: Fault | None) -> WireResponse:
        """Process a request."""
        time.sleep(self._context.options["latency"].get(endpoint, 0))
        signed = request.headers.get("authorization", "")
        if not signed.startswith("AWS4-HMAC-SHA256 ") or "/bedrock/aws4_request" not in signed:
            return error("AccessDeniedException", "Missing Authentication Token")
        if fault and fault.mode in _REFUSALS:
            return error(*_REFUSALS[fault.mode])
        if endpoint == "async_invoke.start":
            return self._start(request, signed.split("/")[2], fault)
        if endpoint == "async_invoke.list":
            return self._list(request)
        invocation = self._invocations.get(request.path.removeprefix(f"{_PATH}/"))
        if invocation is None:
            return error("ValidationException", "The provided invocation ARN is invalid.")
        return as_json(200, invocation.view())

    def _start(self, request: Request, region: str, fault: Fault | None) -> WireResponse:
        try:
            body = request.json()
            checked = bedrock_rules.check(body)
        except (Invalid, ValueError) as invalid:
            return error("ValidationException", str(invalid))
        token = body.get("clientRequestToken") or secrets.token_hex(16)
        with self._lock:
            known = next((i for i in self._invocations.values() if i.token == token), None)
            meant = fingerprint({k: v for k, v in body.items() if k != "clientRequestToken"})
            if known is not None and known.print != meant:
                words = "The client request token was used for another request."
                return error("ConflictException", words)
            if known is None:
                known = self._accept(checked, body, token, meant, region, fault)
        return as_json(200, {"invocationArn": known.arn})

    def _accept(
        self,
        checked: CheckedRequest,
        body: dict[str, Any],
        token: str,
        meant: str,
        region: str,
        fault: Fault | None,
    ) -> Invocation:
        now = self._context.clock.now()
        name = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
        arn = f"arn:aws:bedrock:{region}:{_ACCOUNT}:async-invoke/{name}"
        ends = now + self._context.options["running_seconds"]
        invocation_fault = fault if fault and fault.mode in _INVOCATION_MODES else None
        invocation = Invocation(
            checked, token, meant, arn, region, body, now, ends, invocation_fault
        )
        self._context.book.charge(
            at=now,
            kind="async_invoke.start",
            model=body["modelId"],
            amount=checked.usd,
            unit="usd",
            fingerprint=meant,
            prompt=checked.prompt,
            marker=token,
            job=arn,
            fault=fault.mode if fault else None,
        )
        self._invocations[arn] = invocation
        return invocation

    def _finish(self, invocation: Invocation, now: float) -> None:
        if invocation.mode == "stuck":
            return
        invocation.delivered = True
        if invocation.mode == "failed":
            assert invocation.fault is not None
            default = "The model could not process the request."
            self._fail(invocation, now, invocation.fault.options.get("message", default))
            return
        if invocation.mode != "no_output":
            checked = invocation.checked
            folder = Path(self._context.options["clips"] or self._context.folder / "clips")
            data = clips.make(folder, checked.size, checked.seconds, checked.colour)
            if problem := self._deliver(invocation.uri, data):
                self._fail(invocation, now, problem)
                return
        if invocation.mode != "lost":
            invocation.status = "Completed"

    def _fail(self, invocation: Invocation, now: float, why: str) -> None:
        invocation.status, invocation.failure = "Failed", why
        self._context.book.refund(at=now, job=invocation.arn, amount=invocation.checked.usd)

    def _deliver(self, uri: str, data: bytes) -> str:
        endpoint = self._context.options["s3_endpoint"]
        if endpoint is not None:
            return put_in_s3(endpoint, uri, data)
        self._kept[uri] = data
        return ""

    def _list(self, request: Request) -> WireResponse:
        query = request.query
        rows = sorted(self._invocations.values(), key=lambda invocation: invocation.submitted)
        if query.get("sortOrder", "Descending") == "Descending":
            rows.reverse()
        if "statusEquals" in query:
            rows = [row for row in rows if row.status == query["statusEquals"]]
        if "submitTimeAfter" in query:
            rows = [row for row in rows if row.submitted > seconds(query["submitTimeAfter"])]
        if "submitTimeBefore" in query:
            rows = [row for row in rows if row.submitted < seconds(query["submitTimeBefore"])]
        at, count = int(query.get("nextToken", "0")), int(query.get("maxResults", "1000"))
        page = {"asyncInvokeSummaries": [row.view() for row in rows[at : at + count]]}
        more = {"nextToken": str(at + count)} if len(rows) > at + count else {}
        return as_json(200, page | more)
