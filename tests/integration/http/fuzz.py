"""Fuzzing with valid and invalid requests that schemathesis generates from the OpenAPI document.

Every response is checked against the document (`tests.support.answers`), and none may be a server
error. The caller passes the sender: the handlers in process, or a deployed API.
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
# Schemathesis's own header with the id of the case.
_OWN_HEADER = "X-Schemathesis-TestCaseId"
_KEYLESS = 16  # one request in 16 keeps the generated credentials instead of a valid key
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
class Response:
    """A response of the API."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Fuzz:
    """Fuzzes one API; `path_values` are path parameters of existing resources."""

    base_url: str
    send: Callable[[requests.PreparedRequest], Response]
    key_of: Callable[[str], str]  # the API key to use for a path
    path_values: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Return the number of requests sent."""
        return self.statuses.total()

    def run(self, cases: int, seeded: int | None = None) -> None:
        """Send about `cases` requests, divided evenly among the operations.

        The same seed gives the same requests, as does no seed. `faults` gets the first failure of
        each operation.
        """
        # An operation without parameters has one request; the other operations get its share.
        targets = [
            (operation_result.ok(), mode)
            for operation_result in SCHEMA.get_all_operations()
            if isinstance(operation_result, Ok)
            for mode in (_MODES if _has_inputs(operation_result.ok()) else _MODES[:1])
        ]
        for index, (operation, mode) in enumerate(targets):
            remaining = cases - self.cases
            share = -(-remaining // (len(targets) - index))
            try:
                self._fuzz_operation(_strategy(operation, mode, self.path_values), share, seeded)
            except Exception as error:  # a failure of one operation must not end the others
                self.faults.append(f"{operation.method.upper()} {operation.path}: {error}")

    def _fuzz_operation(
        self, strategy: SearchStrategy[Case[Any]], max_examples: int, seeded: int | None
    ) -> None:
        @settings(_SETTINGS, max_examples=max_examples, derandomize=seeded is None)
        @given(strategy)
        def run_case(case: Case[Any]) -> None:
            self._check_case(case)

        (run_case if seeded is None else seed(seeded)(run_case))()

    def _check_case(self, case: Case[Any]) -> None:
        request = requests.Request(**case.as_transport_kwargs(base_url=self.base_url)).prepare()
        request.headers.pop(_OWN_HEADER, None)
        path = request.path_url.removeprefix(urlsplit(self.base_url).path)
        if self.cases % _KEYLESS:
            request.headers.pop("Authorization", None)
            request.headers["X-API-Key"] = self.key_of(path)
        # The generated preference comes first; without one, do not wait for the run.
        preferences = (request.headers.get("Prefer"), "wait=0")
        request.headers["Prefer"] = ", ".join(filter(None, preferences))
        response = self.send(request)
        self.statuses[response.status] += 1
        request_text = f"{request.method} {request.path_url}\n{request.headers}\n{request.body!r}"
        assert response.status < 500, f"{request_text}\n{response.status} {response.text}"
        try:
            answers.check(
                str(request.method), path, response.status, response.headers, response.text
            )
        except (AssertionError, ValueError) as mismatch:
            raise AssertionError(f"{request_text}\n{str(mismatch)[:2000]}") from None


def _has_inputs(operation: Any) -> bool:
    parameters = operation.definition.raw.get("parameters", [])
    return bool(parameters or operation.definition.raw.get("requestBody"))


def _strategy(
    operation: Any, mode: GenerationMode, path_values: dict[str, str]
) -> SearchStrategy[Case[Any]]:
    """Return requests of an operation; half of the valid ones name existing resources.

    Some contain an encoded slash in a path parameter, which schemathesis never generates.
    """
    generated: SearchStrategy[Case[Any]] = operation.as_strategy(generation_mode=mode)
    names = [parameter["name"] for parameter in operation.definition.raw.get("parameters", [])]
    existing = {name: path_values[name] for name in names if name in path_values}
    if mode is GenerationMode.NEGATIVE or not existing:
        return generated
    paths = [existing, existing, {name: value + _DIVIDED for name, value in existing.items()}]
    return one_of(
        generated,
        *(operation.as_strategy(generation_mode=mode, path_parameters=path) for path in paths),
    )
