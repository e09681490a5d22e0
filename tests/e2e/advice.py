"""The advice walk: provoke every error that a run can end with, follow its advice, want a video.

`python -m tests.e2e.advice` walks all of it on a deployed local cloud and prints the table.

An error comes from a vendor's stand-in, from an object that is gone or damaged, or, where neither
can provoke it in time, is written into the database over a video that lacks its last step. Nothing
but `next_action`, `stage` and `scene` of the shown error decides what the walk does next.
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
from tests.e2e.client import Backstage, Client
from tests.e2e.vendors import PAID, Vendors, serve
from tests.stand_ins.process import StandIn

_MOST_ROUNDS = 5
_SECONDS = 1200.0  # a finished task without a link is asked for eleven minutes
_KINDS = {"story": "text", "image": "image", "clip": "video", "speech": "speech"}
_BY_SEED = "image_to_video"  # its body has no text of the user's, but the seed
_numbers = count(1)


@dataclass(frozen=True)
class Fault:
    """Calls of one endpoint for this case's video are struck so."""

    endpoint: str
    mode: str
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """How a run comes to end with a code. Without faults and damage the code is written down."""

    code: str
    faults: tuple[Fault, ...] = ()
    stage: str = "merge"
    wish: Mapping[str, Any] = field(default_factory=dict)
    damage: bool = False  # the finished clip of the scene, before the next run joins it

    @property
    def name(self) -> str:
        """Name for the table."""
        how = " then ".join(f"{f.endpoint} {f.mode} {f.options or ''}".strip() for f in self.faults)
        return how or ("a damaged clip" if self.damage else "written down")


def _faults(code: str, endpoint: str, /, *modes: str, times: int = 1, **options: Any) -> Case:
    narrated = endpoint == "chat.completions"
    return Case(
        code,
        tuple(Fault(endpoint, mode, times, options) for mode in modes),
        # A narration is cut to its scene; in two seconds it would not hold the case's name.
        wish={"output": {"narration": {}}, "seconds": 5} if narrated else {},
    )


_TASKS = {  # failure code of a task at Runway -> ours, and how often it has to come
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
    _faults("provider.outcome_unknown", _BY_SEED, "500"),
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
    _faults("provider.key", _BY_SEED, "401"),
    _faults("provider.forbidden", "images.generations", "unverified"),
    _faults("provider.credits", "responses", "quota"),
    _faults("provider.credits", _BY_SEED, "no_credits"),
    _faults("provider.request", _BY_SEED, "413"),
    _faults("provider.request", "images.generations", "413"),
    _faults("provider.refused", _BY_SEED, "404"),
    _faults("provider.output", "images.generations", "empty_data"),
    _faults("image.unusable", "images.generations", "wrong_size"),
    _faults("speech.unusable", "chat.completions", "silence"),
    _faults("speech.not_the_text", "chat.completions", "paraphrase"),
    _faults("speech.too_long", "chat.completions", "long"),
    _faults("clip.output_lost", _BY_SEED, "no_output"),
    *(
        _faults(own, _BY_SEED, "failed", times=times, code=code)
        for code, (own, times) in _TASKS.items()
    ),
    Case("budget.exceeded", (Fault("images.generations", "wrong_size"),), wish={"max_cost": ""}),
    Case("merge.broken_clip", damage=True),
)
_STAGES = {"clip": "clip", "image": "image", "speech": "speech"}
_WISHES: Mapping[str, Mapping[str, Any]] = {"speech.failed": {"output": {"narration": {}}}}
# Already provoked above, or only shown while a request is admitted.
WRITTEN: tuple[Case, ...] = tuple(
    Case(code, stage=_STAGES.get(code.partition(".")[0], "merge"), wish=_WISHES.get(code, {}))
    for code in advice.CODES
    if code not in {case.code for case in PROVOKED}
)


@dataclass(frozen=True)
class Walked:
    """What came of a case: the codes met and what was done about each, and how the video stands."""

    case: Case
    met: tuple[tuple[str, str], ...]
    status: str
    told: tuple[str, ...] = ()

    @property
    def wrong(self) -> str:
        """What is wrong; empty if nothing is."""
        if self.case.code not in [code for code, _ in self.met]:
            return f"met {self.met} instead of {self.case.code}"
        if self.status != "succeeded":
            return f"ended {self.status} after {self.met}"
        announced = [text for text in self.told if "tried again" in text]
        return f"announces a retry: {announced[0]}" if announced else ""


class Caller(Protocol):
    """A client of the API, as `Client` is one."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request."""
        ...

    def create(self, **wish: Any) -> dict[str, Any]:
        """Ask for a video; return it as accepted."""
        ...

    def wait(self, video_id: str, seconds: float) -> dict[str, Any]:
        """Return the video once it has ended."""
        ...


@dataclass(frozen=True)
class Walk:
    """The walk, with the clients of its users, both vendors, the database and the store."""

    client: Callable[[str], Caller]
    openai: StandIn
    runway: StandIn
    database: Callable[[], AbstractContextManager[Any]]
    put: Callable[[str, bytes], object]

    def all(self, cases: Sequence[Case], report: Callable[[str], object]) -> list[Walked]:
        """Walk the cases side by side; report each as it ends."""

        def one(case: Case) -> Walked:
            try:
                walked = self.one(case)
            except Exception as error:  # a case that breaks is a result, too
                walked = Walked(case, (), f"{type(error).__name__}: {error}")
            report(f"{'NO ' + walked.wrong if walked.wrong else '+'}  {case.code}: {case.name}")
            return walked

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(one, cases))

    def one(self, case: Case) -> Walked:
        """Let a run of its own end with the code, and follow the advice."""
        number = next(_numbers)
        client = self.client(f"walk{number}")
        video = self._provoke(case, client, number)
        met: list[tuple[str, str]] = []
        told: list[str] = []
        while video["status"] != "succeeded" and len(met) < _MOST_ROUNDS:
            error = video["error"]
            met.append((error["code"], error["next_action"]))
            told.append(error["detail"])
            refused = self._follow(client, video, error)
            if refused is not None:  # a resume that is refused says why, and is followed too
                met.append((refused, advice.of(refused).action))
                self._follow(client, video, {**error, "next_action": advice.of(refused).action})
            video = client.wait(video["id"], _SECONDS)
        finished = video["status"] == "succeeded" and video["output"] is not None
        status = "succeeded" if finished else f"{video['status']} {video['error']}"
        return Walked(case, tuple(met), status, tuple(told))

    def _provoke(self, case: Case, client: Caller, number: int) -> dict[str, Any]:
        name = f"walker{number:04d}"
        seed = 7_000_000 + number * 100
        wish: dict[str, Any] = {
            "prompt": f"The {name} sails at dawn",
            "scenes": 1,
            "seconds": 2,
            "seed": seed,
            **case.wish,
        }
        if case.faults:
            wish["models"] = (
                {**PAID, "speech": {"provider": "openai"}} if "output" in wish else PAID
            )
        if "max_cost" in wish:
            del wish["max_cost"]
            wish["max_cost"] = client.call("POST", "/v1/estimates", wish).json()["total"]
        for fault in case.faults:
            mark = f'"seed": {seed // 100}' if fault.endpoint == _BY_SEED else name
            vendor: StandIn = self.runway if fault.endpoint == _BY_SEED else self.openai
            vendor.fault(
                fault.endpoint, fault.mode, times=fault.times, containing=mark, **fault.options
            )
        video = client.wait(client.create(**wish)["id"], _SECONDS)
        if case.faults:
            return video
        assert video["status"] == "succeeded", video["error"]
        self._undo(video, case)
        if case.damage:
            assert client.call("POST", video["links"]["resume"]).status_code == 202
            return client.wait(video["id"], _SECONDS)
        return dict(client.call("GET", video["links"]["self"]).json())

    def _undo(self, video: Mapping[str, Any], case: Case) -> None:
        """Take away the finished file, and let the run have failed with the code."""
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
        """Do what the error says; return the code of a refusal, if there is one."""
        action = advice.NextAction(error["next_action"])
        if action is advice.NextAction.CHANGE_OUTPUT:
            body = {"requestId": video["id"], "output": {"format": "mp4"}}
            answer = client.call("POST", "/api/merge_video_clips", body)
            assert answer.status_code in (200, 202), answer.text
            return None
        answer = client.call("POST", video["links"]["resume"], _terms(action, error))
        if answer.status_code == 202:
            return None
        refusal: str = answer.json()["code"]
        return refusal


def _terms(action: advice.NextAction, error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the resume that the action asks for."""
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


def table(walked: Sequence[Walked]) -> str:
    """Return a line for each case."""
    lines = [f"{'code':<28}{'advice followed':<52}{'ends':<12}provoked by"]
    for one in sorted(walked, key=lambda w: (w.case.code, w.case.name)):
        path = " > ".join(
            action if code == one.case.code else f"{code}: {action}" for code, action in one.met
        )
        ends = "NO" if one.wrong else "succeeded"
        lines.append(f"{one.case.code:<28}{path:<52}{ends:<12}{one.case.name}")
    wrong = sum(bool(one.wrong) for one in walked)
    codes = len({one.case.code for one in walked})
    lines += ["", f"codes {codes}, cases {len(walked)}, without a finished video {wrong}"]
    return "\n".join(lines)


def deployed(link: Connection, backstage: Backstage, vendors: Vendors) -> Walk:
    """Return the walk on a deployed stack."""
    bucket = link.outputs["MediaBucketName"]

    def client(user: str) -> Client:
        key = keys.mint_key(link, "walk", user_id=user, per_minute=6000, maxConcurrentRuns=50)
        return Client(link.base_url, key)

    return Walk(
        client,
        vendors.openai,
        vendors.runway,
        backstage.database,
        lambda key, data: link.client("s3").put_object(Bucket=bucket, Key=key, Body=data),
    )


def main() -> int:
    """Walk everything on a local cloud of its own; return 1 if a case did not end well."""
    chosen = set(sys.argv[1:])
    cases = [c for c in (*PROVOKED, *WRITTEN) if not chosen or c.code in chosen]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # PostgreSQL does not run as root
        (root / "cloud").mkdir()
        with running_cloud(root / "cloud") as cloud:
            link = cloud.connection
            backstage = Backstage(link)
            with serve(link, backstage, root / "vendors") as vendors:
                report = partial(print, flush=True)
                walked = deployed(link, backstage, vendors).all(cases, report)
    print("\nThe advice walk\n" + table(walked))
    return 1 if any(one.wrong for one in walked) else 0


if __name__ == "__main__":
    raise SystemExit(main())
