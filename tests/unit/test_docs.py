"""The documents say what the code does."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

# When it is imported, X-Ray's recorder opens its socket: before the network is switched off.
from api.handler import described
from api.openapi import document
from common.domain import advice, errors
from common.domain.errors import VideoError
from common.providers.vendor_errors import MEANINGS

PROJECT = Path(__file__).parents[2]
CODE = re.compile(r'\bcode(?:: ClassVar\[str\])? ?= ?"([a-z_]+(?:\.[a-z_]+)*)"')
# Never seen by anybody: bases, which are always given a code of their own.
BASES = {"transient", "permanent", "conflict"}


def codes() -> set[str]:
    """Every code that the source gives to an error."""
    found = set(MEANINGS)
    for path in (PROJECT / "functions").rglob("*.py"):
        found |= set(CODE.findall(path.read_text()))
    return found - BASES


def test_every_code_is_documented() -> None:
    text = (PROJECT / "docs" / "errors.md").read_text()
    missing = {code for code in codes() if f"`{code}`" not in text}
    assert not missing


# What the column says, and what `retryable` then is; the other words hold in some cases only.
AGAIN = {"yes": True, "later": True, "no": False, "changed": False}


def rows(title: str) -> Iterator[tuple[str, str]]:
    """Yield code and may-I-retry of each row under a title."""
    text = (PROJECT / "docs" / "errors.md").read_text()
    table = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    column = [cell.strip() for cell in lines[0]].index("again?")
    for cells in lines[1:]:
        for code in re.findall(r"`([a-z_.]+)`", cells[0]):
            yield code, cells[column].strip()


def decided() -> dict[str, set[bool]]:
    """Whether each code can be tried again, as far as the source says it in so many words."""
    kinds = {name: kind for name, kind in vars(errors).items() if _is_error(kind)}
    found: dict[str, set[bool]] = defaultdict(set)
    for code, meaning in MEANINGS.items():
        found[code].add(meaning.helps_unchanged)
    for kind in kinds.values():
        found[kind.code].add(kind.retryable)
    for path in (PROJECT / "functions").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                said = {one.arg: one.value for one in call.keywords}
                named, again = _constant(said.get("code")), said.get("retryable")
                if call.func.id not in kinds or not isinstance(named, str):
                    continue
                if again is None:
                    found[named].add(kinds[call.func.id].retryable)
                elif isinstance(plain := _constant(again), bool):
                    found[named].add(plain)
                elif named not in MEANINGS:
                    found[named] |= {True, False}
    return found


def _constant(value: ast.expr | None) -> object:
    return value.value if isinstance(value, ast.Constant) else None


def _is_error(kind: object) -> TypeGuard[type[VideoError]]:
    return isinstance(kind, type) and issubclass(kind, VideoError)


def test_a_run_may_be_tried_again_when_the_document_says_so() -> None:
    documented = {c: again for c, again in rows("Runs") if c not in {*advice.NextAction}}
    assert documented.pop("run.ended") == "no"  # no run ends with it
    assert documented.keys() == advice.CODES.keys()
    for code, word in documented.items():
        assert advice.CODES[code].retryable == AGAIN[word], code


def test_the_next_action_of_every_code_is_documented() -> None:
    text = (PROJECT / "docs" / "errors.md").read_text()
    for line in text.partition("\n## Runs\n")[2].splitlines():
        for code in re.findall(r"`([a-z_.]+)`", line.split("|")[1] if line.count("|") == 5 else ""):
            if code in advice.CODES:
                assert f"| `{advice.CODES[code].action}` |" in line, code
    for action in advice.NextAction:
        assert f"\n| `{action}` |" in text, action


# Of those that a step can raise: no run ends with them.
NO_END = {"run.ended", "upload.type", "upload.size"}
STEPS = (
    *("story", "image", "speech", "clip", "merge", "finish", "offline"),
    *("common/providers", "common/media", "common/application/billing"),
)

SHARED = ("application/pipeline_step", "application/failure_records", "runtime", "aws/secrets")


def test_every_code_that_a_step_can_raise_has_an_advice() -> None:
    found = set(MEANINGS)
    paths = [path for folder in STEPS for path in (PROJECT / "functions" / folder).rglob("*.py")]
    paths += [PROJECT / "functions" / "common" / f"{name}.py" for name in SHARED]
    for path in paths:
        found |= set(CODE.findall(path.read_text()))
    requests = {code for code, _ in rows("Requests")}
    assert found - advice.CODES.keys() - requests - NO_END == set()
    assert found & advice.CODES.keys() >= {"provider.key", "merge.music", "ledger.unsettled"}


def test_no_error_announces_a_retry() -> None:
    """The text of an error may be the last word: what is retried says so elsewhere."""
    for path in (PROJECT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.casefold()
                assert "is tried again" not in text, f"{path}:{node.lineno}"


def test_a_request_may_be_tried_again_when_the_document_says_so() -> None:
    code_says = decided()
    for code, word in rows("Requests"):
        if len(code_says[code]) == 1 and word in ("yes", "no"):
            assert code_says[code] == {AGAIN[word]}, code


def test_the_openapi_document_is_the_one_of_the_routes() -> None:
    written = (PROJECT / "docs" / "openapi.json").read_text()
    assert written == document.text(described()) + "\n", "run `make openapi`"


def test_every_decision_is_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        assert path.name in listed


def test_links_between_documents_lead_somewhere() -> None:
    for path in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_project_has_one_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == document.VERSION
