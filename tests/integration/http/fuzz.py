"""Requests that schemathesis generates from the OpenAPI document: valid ones, and faulty ones.

Every response is checked against the document (`tests.support.answers`), and none may be a server
error. The sender decides what is tested: the handlers in process, or a deployed API.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy, one_of
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.support import answers
from tests.support.answers import DOCUMENT

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# The header that says which case it is, for the tool's own use.
_OWN_HEADER = "X-Schemathesis-TestCaseId"
_KEYLESS = 16  # one request in so many is sent with what was made up in place of a key
_DIVIDED = "/events"  # %2Fevents in the request; the end of the path of another operation
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_SETTINGS = settings(
    deadline=None,  # of one case; the machine may be busy
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Fuzz:
    """Asks one API; `own` are values of path parameters that lead to something."""

    base_url: str
    send: Callable[[requests.PreparedRequest], Answer]
    key_of: Callable[[str], str]  # the API key to use for a path
    own: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()

    def run(self, cases: int, seeded: int | None = None) -> None:
        """Send about so many requests, the same for every operation; the same ones for a seed.

        Without a seed the requests are always the same. Every operation's first fault is kept.
        """
        # Of an operation without parameters there is one request; the others make up for it.
        found = [
            (made.ok(), mode)
            for made in SCHEMA.get_all_operations()
            if isinstance(made, Ok)
            for mode in (_MODES if _has_inputs(made.ok()) else _MODES[:1])
        ]
        for place, (operation, mode) in enumerate(found):
            left = cases - self.cases
            most = -(-left // (len(found) - place))
            try:
                self._ask(_strategy(operation, mode, self.own), most, seeded)
            except Exception as error:  # whatever is wrong with one, the others are asked too
                self.faults.append(f"{operation.method.upper()} {operation.path}: {error}")

    def _ask(self, strategy: SearchStrategy[Case[Any]], most: int, seeded: int | None) -> None:
        @settings(_SETTINGS, max_examples=most, derandomize=seeded is None)
        @given(strategy)
        def ask(case: Case[Any]) -> None:
            self._one(case)

        (ask if seeded is None else seed(seeded)(ask))()

    def _one(self, case: Case[Any]) -> None:
        request = requests.Request(**case.as_transport_kwargs(base_url=self.base_url)).prepare()
        request.headers.pop(_OWN_HEADER, None)
        path = request.path_url.removeprefix(urlsplit(self.base_url).path)
        if self.cases % _KEYLESS:
            request.headers.pop("Authorization", None)
            request.headers["X-API-Key"] = self.key_of(path)
        # What was made up comes first; nobody waits for a run because there was no preference.
        preferences = (request.headers.get("Prefer"), "wait=0")
        request.headers["Prefer"] = ", ".join(filter(None, preferences))
        answer = self.send(request)
        self.statuses[answer.status] += 1
        where = f"{request.method} {request.path_url}\n{request.headers}\n{request.body!r}"
        assert answer.status < 500, f"{where}\n{answer.status} {answer.text}"
        try:
            answers.check(str(request.method), path, answer.status, answer.headers, answer.text)
        except (AssertionError, ValueError) as wrong:
            raise AssertionError(f"{where}\n{str(wrong)[:2000]}") from None


def _has_inputs(operation: Any) -> bool:
    parameters = operation.definition.raw.get("parameters", [])
    return bool(parameters or operation.definition.raw.get("requestBody"))


def _strategy(
    operation: Any, mode: GenerationMode, own: dict[str, str]
) -> SearchStrategy[Case[Any]]:
    """Requests of an operation; good ones as often about something that is there as not.

    And some whose path divides where its parts end: the tool itself makes no slash in a part.
    """
    made: SearchStrategy[Case[Any]] = operation.as_strategy(generation_mode=mode)
    names = [one["name"] for one in operation.definition.raw.get("parameters", [])]
    there = {name: own[name] for name in names if name in own}
    if mode is GenerationMode.NEGATIVE or not there:
        return made
    paths = [there, there, {name: value + _DIVIDED for name, value in there.items()}]
    return one_of(
        made, *(operation.as_strategy(generation_mode=mode, path_parameters=path) for path in paths)
    )
