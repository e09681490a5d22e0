"""The API reference: complete in one page, and strict about what it runs."""

import base64
import hashlib
import re

from api.openapi import reference

FOLDER = reference._FOLDER


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_docs_page_policy_allows_exactly_its_own_scripts_and_styles() -> None:
    page = reference.page()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert (len(scripts), len(styles)) == (2, 1)
    policy = dict(part.split(" ", 1) for part in reference.policy().split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].split() == [hash_of(script) for script in scripts]
    assert policy["style-src"] == hash_of(styles[0])
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in reference.policy()


def test_docs_page_names_no_other_host() -> None:
    start, page = reference._START, reference.page()
    assert 'url: "openapi.json"' in start
    assert "validatorUrl: null" in start
    markup = page.replace(reference._library(), "").replace(reference._styles(), "")
    assert not re.search(r"https?:|src=|href=", markup)
    assert not re.search(r"url\((?![\"']?data:)", reference._styles())


def test_docs_page_fits_into_a_response_of_lambda() -> None:
    assert len(reference.page().encode()) < 5_000_000


def test_swagger_ui_is_the_published_release() -> None:
    for name, digest in {
        "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
        "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    }.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    assert "swagger-ui-dist 5.35.0" in (FOLDER / "NOTICE").read_text()
