"""The advice walk: provoke every error of a run, follow its advice, expect a finished video.

`python -m tests.e2e.advice` runs every case on a deployed local cloud and prints a table.

Errors come from a vendor's stand-in or from a missing or damaged object. Errors that neither can
provoke in time are written into the database of a video without its last step. The walk decides
only by `next_action`, `stage` and `scene` of the returned error.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from common.domain import advice
from infra.local.cloud import running_cloud
from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, Vendors, serve
from tests.stand_ins.process import StandIn

_MAX_ROUNDS = 5
_SECONDS = 1200.0  # a finished task without an output is polled for eleven minutes
_KINDS = {"story": "text", "image": "image", "clip": "video", "speech": "speech"}
_IMAGE_TO_VIDEO = "image_to_video"  # its body contains the seed, but no text of the user
_numbers = count(1)


@dataclass(frozen=True)
class Fault:
    """A fault for calls of one endpoint that belong to the case's video."""

    endpoint: str
    mode: str
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A way to end a run with a code, which without faults or damage is written to the database."""

    code: str
    faults: tuple[Fault, ...] = ()
    stage: str = "merge"
    wish: Mapping[str, Any] = field(default_factory=dict)
    damage: bool = False  # damages the finished clip before the next run merges it

    @property
    def name(self) -> str:
        """The name of the case in the table."""
        faults = " then ".join(
            f"{f.endpoint} {f.mode} {f.options or ''}".strip() for f in self.faults
        )
        return faults or ("a damaged clip" if self.damage else "written down")


def _faults(code: str, endpoint: str, /, *modes: str, times: int = 1, **options: Any) -> Case:
    narrated = endpoint == "chat.completions"
    return Case(
        code,
        tuple(Fault(endpoint, mode, times, options) for mode in modes),
        # A narration is shortened to its scene; two seconds are too short for the case's name.
        wish={"output": {"narration": {}}, "seconds": 5} if narrated else {},
    )


_TASKS = {  # failure code of a Runway task -> error code, and how often it must occur
    "SAFETY.INPUT.IMAGE": ("safety.input", 1),
    "SAFETY.OUTPUT.VIDEO": ("safety.output", 1),
    "ASSET.INVALID": ("provider.input", 1),
    "THIRD_PARTY.UNAVAILABLE": ("provider.unavailable", 3),
    "INTERNAL": ("provider.internal", 3),
    "INTERNAL.BAD_OUTPUT.CODE01": ("clip.bad_output", 3),
}
PROVOKED: tuple[Case, ...] = (
    _faults("provider.outcome_unknown", "responses", "charge_then_reset"),
    _faults("provider.outcome_unknown", "images.generations", "charge_then_reset"),
    _faults("provider.outcome_unknown", "chat.completions", "charge_then_reset"),
    _faults("provider.outcome_unknown", _IMAGE_TO_VIDEO, "500"),
    _faults("safety.input", "responses", "refusal"),
    _faults("safety.input", "images.generations", "moderation_input"),
    _faults("safety.output", "responses", "content_filter"),
    _faults("safety.output", "images.generations", "moderation_output"),
    _faults("story.truncated", "responses", "truncation", times=2),
    _faults("story.invalid", "responses", "links", times=2),
    _faults("story.not_corrected", "responses", "links", "429"),
    _faults("provider.internal", "responses", "failed", code="server_error"),
    _faults("provider.model", "responses", "404"),
    _faults("provider.model", "images.generations", "404"),
    _faults("provider.key", "images.generations", "401"),
    _faults("provider.key", _IMAGE_TO_VIDEO, "401"),
    _faults("provider.forbidden", "images.generations", "unverified"),
    _faults("provider.credits", "responses", "quota"),
    _faults("provider.credits", _IMAGE_TO_VIDEO, "no_credits"),
    _faults("provider.request", _IMAGE_TO_VIDEO, "413"),
    _faults("provider.request", "images.generations", "413"),
    _faults("provider.refused", _IMAGE_TO_VIDEO, "404"),
    _faults("provider.output", "images.generations", "empty_data"),
    _faults("image.unusable", "images.generations", "wrong_size"),
    _faults("speech.unusable", "chat.completions", "silence"),
    _faults("speech.not_the_text", "chat.completions", "paraphrase"),
    _faults("speech.too_long", "chat.completions", "long"),
    _faults("clip.output_lost", _IMAGE_TO_VIDEO, "no_output"),
    *(
        _faults(error_code, _IMAGE_TO_VIDEO, "failed", times=times, code=code)
        for code, (error_code, times) in _TASKS.items()
    ),
    Case("budget.exceeded", (Fault("images.generations", "wrong_size"),), wish={"max_cost": ""}),
    Case("merge.broken_clip", damage=True),
)
_STAGES = {"clip": "clip", "image": "image", "speech": "speech"}
_WISHES: Mapping[str, Mapping[str, Any]] = {"speech.failed": {"output": {"narration": {}}}}
# The codes that no case above provokes.
WRITTEN: tuple[Case, ...] = tuple(
    Case(code, stage=_STAGES.get(code.partition(".")[0], "merge"), wish=_WISHES.get(code, {}))
    for code in advice.CODES
    if code not in {case.code for case in PROVOKED}
)


@dataclass(frozen=True)
class AdviceResult:
    """The result of a case: the errors with the action taken for each, and the video's status."""

    case: Case
    met: tuple[tuple[str, str], ...]
    status: str
    details: tuple[str, ...] = ()

    @property
    def wrong(self) -> str:
        """The defect of the case, or "" if it passed."""
        if self.case.code not in [code for code, _ in self.met]:
            return f"met {self.met} instead of {self.case.code}"
        if self.status != "succeeded":
            return f"ended {self.status} after {self.met}"
        retries = [text for text in self.details if "tried again" in text]
        return f"announces a retry: {retries[0]}" if retries else ""


class Caller(Protocol):
    """The part of `Client` that the walk needs."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request."""
        ...

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create a video; return the accepted resource."""
        ...

    def wait(self, video_id: str, seconds: float) -> dict[str, Any]:
        """Return the video once it has ended."""
        ...


@dataclass(frozen=True)
class AdviceWalk:
    """The walk: clients of its users, both vendors, the database and the media store."""

    client: Callable[[str], Caller]
    openai: StandIn
    runway: StandIn
    database: Callable[[], AbstractContextManager[Any]]
    put: Callable[[str, bytes], object]

    def all(self, cases: Sequence[Case], report: Callable[[str], object]) -> list[AdviceResult]:
        """Run the cases concurrently; report each when it ends."""

        def run_case(case: Case) -> AdviceResult:
            try:
                walked = self.one(case)
            except Exception as error:  # a case that raises counts as failed
                walked = AdviceResult(case, (), f"{type(error).__name__}: {error}")
            report(f"{'NO ' + walked.wrong if walked.wrong else '+'}  {case.code}: {case.name}")
            return walked

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(run_case, cases))

    def one(self, case: Case) -> AdviceResult:
        """Provoke the code in a new run and follow the advice."""
        number = next(_numbers)
        client = self.client(f"walk{number}")
        video = self._provoke(case, client, number)
        met: list[tuple[str, str]] = []
        details: list[str] = []
        while video["status"] != "succeeded" and len(met) < _MAX_ROUNDS:
            error = video["error"]
            met.append((error["code"], error["next_action"]))
            details.append(error["detail"])
            refused = self._follow(client, video, error)
            if refused is not None:  # the advice of a rejected resume is followed too
                met.append((refused, advice.of(refused).action))
                self._follow(client, video, {**error, "next_action": advice.of(refused).action})
            video = client.wait(video["id"], _SECONDS)
        finished = video["status"] == "succeeded" and video["output"] is not None
        status = "succeeded" if finished else f"{video['status']} {video['error']}"
        return AdviceResult(case, tuple(met), status, tuple(details))

    def _provoke(self, case: Case, client: Caller, number: int) -> dict[str, Any]:
        name = f"walker{number:04d}"
        seed = 7_000_000 + number * 100
        request: dict[str, Any] = {
            "prompt": f"The {name} sails at dawn",
            "scenes": 1,
            "seconds": 2,
            "seed": seed,
            **case.wish,
        }
        if case.faults:
            request["models"] = (
                {**PAID, "speech": {"provider": "openai"}} if "output" in request else PAID
            )
        if "max_cost" in request:
            del request["max_cost"]
            request["max_cost"] = client.call("POST", "/v1/estimates", request).json()["total"]
        for fault in case.faults:
            marker = f'"seed": {seed // 100}' if fault.endpoint == _IMAGE_TO_VIDEO else name
            vendor: StandIn = self.runway if fault.endpoint == _IMAGE_TO_VIDEO else self.openai
            vendor.fault(
                fault.endpoint, fault.mode, times=fault.times, containing=marker, **fault.options
            )
        video = client.wait(client.create(**request)["id"], _SECONDS)
        if case.faults:
            return video
        assert video["status"] == "succeeded", video["error"]
        self._write_failure(video, case)
        if case.damage:
            assert client.call("POST", video["links"]["resume"]).status_code == 202
            return client.wait(video["id"], _SECONDS)
        return dict(client.call("GET", video["links"]["self"]).json())

    def _write_failure(self, video: Mapping[str, Any], case: Case) -> None:
        """Delete the finished file and mark the run as failed with the code."""
        facts = advice.final(
            {
                "code": case.code,
                "stage": case.stage,
                "scene": 1,
                "detail": "It failed.",
                "billed": None,
            }
        )
        with self.database() as cursor:
            cursor.execute("DELETE FROM final_videos WHERE session_id = %s", (video["id"],))
            cursor.execute(
                "UPDATE runs SET status = 'failed', error = %s WHERE run_id = %s",
                (json.dumps(facts), video["run_id"]),
            )
            cursor.execute(
                "UPDATE video_sessions SET status = 'failed' WHERE session_id = %s", (video["id"],)
            )
            cursor.execute(
                "SELECT video_key FROM video_clips WHERE session_id = %s", (video["id"],)
            )
            (row,) = cursor.fetchall()
            cursor.execute(
                "UPDATE video_narrations SET status = 'failed' WHERE session_id = %s",
                (video["id"],),
            )
        if case.damage:
            self.put(row["video_key"], b"no clip")

    def _follow(
        self, client: Caller, video: Mapping[str, Any], error: Mapping[str, Any]
    ) -> str | None:
        """Follow the error's advice; return the error code if the request is rejected."""
        action = advice.NextAction(error["next_action"])
        if action is advice.NextAction.CHANGE_OUTPUT:
            body = {"requestId": video["id"], "output": {"format": "mp4"}}
            response = client.call("POST", "/api/merge_video_clips", body)
            assert response.status_code in (200, 202), response.text
            return None
        response = client.call("POST", video["links"]["resume"], _terms(action, error))
        if response.status_code == 202:
            return None
        refusal: str = response.json()["code"]
        return refusal


def _terms(action: advice.NextAction, error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the resume request for the action."""
    scene = str(error["scene"] or 1)
    if action is advice.NextAction.RESUBMIT:
        return {"on_unknown": "resubmit_once"}
    if action is advice.NextAction.CHANGE_PROMPT:
        if error["stage"] == "story":
            return {"prompt": "A calm sea at dawn"}
        return {"scenes": {scene: {"prompt": "A calm sea", "motion_prompt": "Slow waves"}}}
    if action is advice.NextAction.CHANGE_NARRATION:
        return {"scenes": {scene: {"narration": "The sea is calm."}}}
    if action is advice.NextAction.CHANGE_MODEL:
        return {"models": {_KINDS.get(error["stage"], "video"): {"provider": "offline"}}}
    if action is advice.NextAction.RAISE_MAX_COST:
        return {"max_cost": "50"}
    return {}


def table(walked: Sequence[AdviceResult]) -> str:
    """Return the table with a line for each case."""
    lines = [f"{'code':<28}{'advice followed':<52}{'ends':<12}provoked by"]
    for result in sorted(walked, key=lambda w: (w.case.code, w.case.name)):
        path = " > ".join(
            action if code == result.case.code else f"{code}: {action}"
            for code, action in result.met
        )
        ends = "NO" if result.wrong else "succeeded"
        lines.append(f"{result.case.code:<28}{path:<52}{ends:<12}{result.case.name}")
    wrong = sum(bool(result.wrong) for result in walked)
    codes = len({result.case.code for result in walked})
    lines += ["", f"codes {codes}, cases {len(walked)}, without a finished video {wrong}"]
    return "\n".join(lines)


def deployed(link: Connection, stack: StackAccess, vendors: Vendors) -> AdviceWalk:
    """Return a walk on a deployed stack."""
    bucket = link.outputs["MediaBucketName"]

    def client(user: str) -> Client:
        key = keys.mint_key(link, "walk", user_id=user, per_minute=6000, maxConcurrentRuns=50)
        return Client(link.base_url, key)

    return AdviceWalk(
        client,
        vendors.openai,
        vendors.runway,
        stack.database,
        lambda key, data: link.client("s3").put_object(Bucket=bucket, Key=key, Body=data),
    )


def main() -> int:
    """Run all cases on a new local cloud; return 1 if a case failed."""
    codes = set(sys.argv[1:])
    cases = [c for c in (*PROVOKED, *WRITTEN) if not codes or c.code in codes]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # PostgreSQL does not run as root
        (root / "cloud").mkdir()
        with running_cloud(root / "cloud") as cloud:
            link = cloud.connection
            stack = StackAccess(link)
            with serve(link, stack, root / "vendors") as vendors:
                report = partial(print, flush=True)
                walked = deployed(link, stack, vendors).all(cases, report)
    print("\nThe advice walk\n" + table(walked))
    return 1 if any(result.wrong for result in walked) else 0


if __name__ == "__main__":
    raise SystemExit(main())
