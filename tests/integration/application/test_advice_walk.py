"""Follow the advice of a sample of errors until the video is finished.

Runs the functions, the state machine's definition and the vendors' stand-ins in process; `make
faults` covers every error on a deployed stack.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from common import runtime
from common.database import Database
from common.settings import ApiSettings, FinishSettings, GenerationSettings, MergeSettings
from tests.e2e.advice import PROVOKED, WRITTEN, AdviceResult, AdviceWalk, Case
from tests.faults.machine import Machine, TaskFailed
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.cold_start import start_cold
from tests.support.fixtures import PROVIDERS, SECRET
from tests.support.gateway import Gateway, Reply, quietly
from tests.support.media_store import InMemoryMediaStore

ALL = os.environ.get("ADVICE") == "all"
SHARE = (
    "safety.output",
    "provider.outcome_unknown",
    "provider.model",
    "merge.broken_clip",
    "provider.credits",
    "image.unusable",
    "merge.music",
)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, StandIn]]:
    root = tmp_path_factory.mktemp("vendors")
    with (
        openai.serve(root / "openai") as text_vendor,
        runway.serve(root / "runway") as video_vendor,
    ):
        yield text_vendor, video_vendor


@dataclass(frozen=True)
class Response:
    """A reply with the attributes of `requests.Response` that the walk reads."""

    reply: Reply

    @property
    def status_code(self) -> int:
        return self.reply.status

    @property
    def text(self) -> str:
        return self.reply.text

    def json(self) -> Any:
        return self.reply.json()


@dataclass(frozen=True)
class Client:
    """Calls the API in process, and runs the executions that it starts."""

    gateway: Gateway
    user_id: str
    video_vendor: StandIn

    def call(self, method: str, path: str, body: Any = None) -> Response:
        headers = {"Prefer": "wait=0"} if method == "POST" else None
        return Response(self.gateway.call(method, path, body, headers, user_id=self.user_id))

    def create(self, **fields: Any) -> dict[str, Any]:
        response = self.call("POST", "/v1/videos", fields)
        assert response.status_code == 202, response.text
        return dict(response.json())

    def wait(self, video_id: str, _seconds: float) -> dict[str, Any]:
        for name in self.gateway.machine.started:
            execution = self.gateway.machine.executions[name]
            if execution["status"] == "RUNNING":
                machine = Machine(self._invoke, self.video_vendor.advance)
                execution["status"] = machine.run(json.loads(execution["input"]))
        return dict(self.call("GET", f"/v1/videos/{video_id}").json())

    def _invoke(self, _state: str, function: str, event: dict[str, Any]) -> Any:
        from tests.faults.worker import HANDLERS  # late: Powertools reads its settings

        try:
            return quietly(HANDLERS[function], event, None)
        except Exception as error:
            raise TaskFailed(type(error).__name__) from None


@pytest.fixture
def walk(
    stand_ins: tuple[StandIn, StandIn],
    gateway: Gateway,
    database: Database,
    secret_store: SecretsManager,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AdviceWalk]:
    """The advice walk over the functions in this process, with a media store in memory."""
    text_vendor, video_vendor = stand_ins
    store = InMemoryMediaStore()
    # One process runs every function here, so it needs the owner's role.
    monkeypatch.setenv("DATABASE_SECRET_ARN", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", text_vendor.base_url)
    monkeypatch.setenv("RUNWAY_BASE_URL", video_vendor.base_url)
    monkeypatch.setenv("PROVIDER_LIMITS", "openai.images_per_minute=0,runway.jobs_at_once=0")
    secret_store.secrets[PROVIDERS] = {
        "OPENAI_API_KEY": text_vendor.api_key,
        "RUNWAY_API_KEY": video_vendor.api_key,
    }
    start_cold()
    for settings in (ApiSettings, GenerationSettings, MergeSettings, FinishSettings):
        runtime.provide(settings, store=store)
    yield AdviceWalk(
        lambda user: Client(gateway, user, video_vendor),
        text_vendor,
        video_vendor,
        database.transaction,
        lambda key, data: store.put(key, data, "video/mp4"),
    )
    start_cold()


def _cases() -> list[Case]:
    if ALL:
        return [*PROVOKED, *WRITTEN]
    first: dict[str, Case] = {}
    for case in (*PROVOKED, *WRITTEN):
        first.setdefault(case.code, case)
    return [first[code] for code in SHARE]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: f"{case.code} {case.name}")
def test_following_the_advice_finishes_the_video(case: Case, walk: AdviceWalk) -> None:
    walked: AdviceResult = walk.one(case)
    print(case.code, walked.met, walked.details[:1])
    assert not walked.wrong
