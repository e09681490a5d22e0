"""The smaller share of the advice walk: the functions, the definition of the state machine and the
vendors' wire, without a deployed stack. `make faults` walks all of it on one.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from common.database import Database
from tests.e2e.advice import PROVOKED, WRITTEN, Case, Walk, Walked
from tests.faults.machine import Machine, TaskFailed
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import PROVIDERS, SECRET
from tests.support.gateway import Gateway, Reply, quietly
from tests.support.vendors import Shelf

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
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, StandIn]]:
    root = tmp_path_factory.mktemp("vendors")
    with openai.serve(root / "openai") as text, runway.serve(root / "runway") as film:
        yield text, film


@dataclass(frozen=True)
class Response:
    """A reply, as the walk reads it."""

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
    """Calls the API in process, and runs the executions that it started."""

    gateway: Gateway
    user_id: str
    film: StandIn

    def call(self, method: str, path: str, body: Any = None) -> Response:
        headers = {"Prefer": "wait=0"} if method == "POST" else None
        return Response(self.gateway.call(method, path, body, headers, user_id=self.user_id))

    def create(self, **wish: Any) -> dict[str, Any]:
        answer = self.call("POST", "/v1/videos", wish)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def wait(self, video_id: str, _seconds: float) -> dict[str, Any]:
        for name in self.gateway.machine.started:
            execution = self.gateway.machine.executions[name]
            if execution["status"] == "RUNNING":
                machine = Machine(self._invoke, self.film.advance)
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
    both: tuple[StandIn, StandIn],
    gateway: Gateway,
    database: Database,
    secret_store: SecretsManager,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Walk]:
    """The walk over the functions in this process, with a media store in memory."""
    from api import dependencies
    from common import runtime
    from finish import handler as finish
    from merge import handler as merge

    text, film = both
    shelf = Shelf()
    # One process is every function here, so it has the owner's role.
    monkeypatch.setenv("DATABASE_SECRET_ARN", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", text.base_url)
    monkeypatch.setenv("RUNWAY_BASE_URL", film.base_url)
    monkeypatch.setenv("PROVIDER_LIMITS", "openai.images_per_minute=0,runway.jobs_at_once=0")
    secret_store.secrets[PROVIDERS] = {
        "OPENAI_API_KEY": text.api_key,
        "RUNWAY_API_KEY": film.api_key,
    }
    for module in (dependencies, runtime, finish, merge):
        monkeypatch.setattr(module, "S3MediaStore", lambda _bucket: shelf)
    kept = [
        one
        for module in (dependencies, runtime, finish, merge)
        for one in vars(module).values()
        if hasattr(one, "cache_clear")
    ]
    for one in kept:
        one.cache_clear()
    yield Walk(
        lambda user: Client(gateway, user, film),
        text,
        film,
        database.transaction,
        lambda key, data: shelf.put(key, data, "video/mp4"),
    )
    for one in kept:
        one.cache_clear()


def _cases() -> list[Case]:
    if ALL:
        return [*PROVOKED, *WRITTEN]
    first: dict[str, Case] = {}
    for case in (*PROVOKED, *WRITTEN):
        first.setdefault(case.code, case)
    return [first[code] for code in SHARE]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: f"{case.code} {case.name}")
def test_following_the_advice_leads_to_a_finished_video(case: Case, walk: Walk) -> None:
    walked: Walked = walk.one(case)
    print(case.code, walked.met, walked.told[:1])
    assert not walked.wrong
