"""The documentation agrees with the code."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

# X-Ray's recorder opens a socket on import, so import it before the network is switched off.
from api.handler import documented_application
from api.openapi import document
from common.domain import advice, errors
from common.domain.errors import VideoError
from common.providers.vendor_errors import MEANINGS

PROJECT = Path(__file__).parents[2]
CODE = re.compile(r'\bcode(?:: ClassVar\[str\])? ?= ?"([a-z_]+(?:\.[a-z_]+)*)"')
# Base classes, never raised with these codes.
BASES = {"transient", "permanent", "conflict"}


def codes() -> set[str]:
    """Return every error code that appears in the source."""
    found = set(MEANINGS)
    for path in (PROJECT / "functions").rglob("*.py"):
        found |= set(CODE.findall(path.read_text()))
    return found - BASES


def test_error_codes_are_documented() -> None:
    text = (PROJECT / "docs" / "errors.md").read_text()
    missing = {code for code in codes() if f"`{code}`" not in text}
    assert not missing


# `retryable` for each value of the column. Values that depend on the case are left out.
RETRYABLE = {"yes": True, "later": True, "no": False, "changed": False}


def rows(title: str) -> Iterator[tuple[str, str]]:
    """Yield the code and the column "again?" of each row below a heading."""
    text = (PROJECT / "docs" / "errors.md").read_text()
    table = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    column = [cell.strip() for cell in lines[0]].index("again?")
    for cells in lines[1:]:
        for code in re.findall(r"`([a-z_.]+)`", cells[0]):
            yield code, cells[column].strip()


def retryable_values() -> dict[str, set[bool]]:
    """Return the values of `retryable` that the source states for each code.

    Two values if they are computed at run time.
    """
    kinds = {name: kind for name, kind in vars(errors).items() if _is_error(kind)}
    result: dict[str, set[bool]] = defaultdict(set)
    for code, meaning in MEANINGS.items():
        result[code].add(meaning.helps_unchanged)
    for kind in kinds.values():
        result[kind.code].add(kind.retryable)
    for path in (PROJECT / "functions").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                keywords = {keyword.arg: keyword.value for keyword in call.keywords}
                code_value, retryable_value = (
                    _constant(keywords.get("code")),
                    keywords.get("retryable"),
                )
                if call.func.id not in kinds or not isinstance(code_value, str):
                    continue
                if retryable_value is None:
                    result[code_value].add(kinds[call.func.id].retryable)
                elif isinstance(plain := _constant(retryable_value), bool):
                    result[code_value].add(plain)
                elif code_value not in MEANINGS:
                    result[code_value] |= {True, False}
    return result


def _constant(value: ast.expr | None) -> object:
    return value.value if isinstance(value, ast.Constant) else None


def _is_error(kind: object) -> TypeGuard[type[VideoError]]:
    return isinstance(kind, type) and issubclass(kind, VideoError)


def test_run_errors_are_retryable_as_documented() -> None:
    documented = {c: again for c, again in rows("Runs") if c not in {*advice.NextAction}}
    assert documented.pop("run.ended") == "no"  # no run ends with it
    assert documented.keys() == advice.CODES.keys()
    for code, word in documented.items():
        assert advice.CODES[code].retryable == RETRYABLE[word], code


def test_next_action_of_each_code_is_documented() -> None:
    text = (PROJECT / "docs" / "errors.md").read_text()
    for line in text.partition("\n## Runs\n")[2].splitlines():
        for code in re.findall(r"`([a-z_.]+)`", line.split("|")[1] if line.count("|") == 5 else ""):
            if code in advice.CODES:
                assert f"| `{advice.CODES[code].action}` |" in line, code
    for action in advice.NextAction:
        assert f"\n| `{action}` |" in text, action


# Codes that a step can raise but that never end a run.
NEVER_FINAL = {"run.ended", "upload.type", "upload.size"}
STEPS = (
    *("story", "image", "speech", "clip", "merge", "finish", "offline"),
    *("common/providers", "common/media", "common/application/billing"),
)

SHARED = ("application/pipeline_step", "application/failure_records", "runtime", "aws/secrets")


def test_step_error_codes_have_advice() -> None:
    step_codes = set(MEANINGS)
    paths = [path for folder in STEPS for path in (PROJECT / "functions" / folder).rglob("*.py")]
    paths += [PROJECT / "functions" / "common" / f"{name}.py" for name in SHARED]
    for path in paths:
        step_codes |= set(CODE.findall(path.read_text()))
    requests = {code for code, _ in rows("Requests")}
    assert step_codes - advice.CODES.keys() - requests - NEVER_FINAL == set()
    assert step_codes & advice.CODES.keys() >= {"provider.key", "merge.music", "ledger.unsettled"}


def test_error_messages_promise_no_retry() -> None:
    """A failed run keeps the text of its last error, after which nothing is retried."""
    for path in (PROJECT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.casefold()
                assert "is tried again" not in text, f"{path}:{node.lineno}"


def test_request_errors_are_retryable_as_documented() -> None:
    code_says = retryable_values()
    for code, word in rows("Requests"):
        if len(code_says[code]) == 1 and word in ("yes", "no"):
            assert code_says[code] == {RETRYABLE[word]}, code


def test_committed_openapi_document_matches_the_routes() -> None:
    committed = (PROJECT / "docs" / "openapi.json").read_text()
    assert committed == document.text(documented_application()) + "\n", "run `make openapi`"


def test_decision_index_lists_every_decision() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        assert path.name in listed


def test_relative_links_resolve() -> None:
    for path in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_openapi_version_matches_pyproject() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == document.VERSION


def test_where_to_find_names_existing_functions() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text()
    table = text.partition("\n## Where to find\n")[2].partition("\n## ")[0]
    entries = re.findall(r"`(functions/[\w/]+\.py)`: ((?:`[\w.]+`(?:, )?)+)", table)
    assert len(entries) > 15
    for path, names in entries:
        source = (PROJECT / path).read_text()
        for name in re.findall(r"`([\w.]+)`", names):
            for part in name.split("."):
                assert re.search(rf"^\s*(?:def |class )?{part}\b", source, re.MULTILINE), (
                    path,
                    name,
                )
