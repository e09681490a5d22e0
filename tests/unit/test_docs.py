"""The documents say what the code does."""

import re
from pathlib import Path

from api import document

# When it is imported, X-Ray's recorder opens its socket: before the network is switched off.
from api.handler import app
from common.providers.outcome import MEANINGS

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


def test_the_openapi_document_is_the_one_of_the_routes() -> None:
    written = (PROJECT / "docs" / "openapi.json").read_text()
    assert written == document.text(app) + "\n", "run `make openapi`"


def test_every_decision_is_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        assert path.name in listed


def test_links_between_documents_lead_somewhere() -> None:
    for path in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
