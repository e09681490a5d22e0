"""The API reference in a real browser, with a request that a reader tries."""

import json
import time
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.media import browser

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", event => violations.push(
  event.violatedDirective + " " + event.blockedURI));
"""
AUTHORIZE = """
document.querySelector(".btn.authorize").click();
await new Promise(done => setTimeout(done, 500));
const input = document.querySelector(".auth-container input");
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, KEY);
input.dispatchEvent(new Event("input", { bubbles: true }));
document.querySelector(".auth-btn-wrapper .authorize").click();
document.querySelector(".auth-btn-wrapper .btn-done")?.click();
return true;
"""
TRY = """
const operation = document.querySelector("#operations-Models-listModels");
operation.querySelector(".opblock-summary-control").click();
await new Promise(done => setTimeout(done, 500));
operation.querySelector(".execute").click();
return true;
"""


def until(page: browser.Page, program: str, seconds: float = 20) -> Any:
    """Run the program until it returns something true."""
    deadline = time.monotonic() + seconds
    while not (result := page.run(program)):
        assert time.monotonic() < deadline, program
        time.sleep(0.2)
    return result


def test_docs_page_lists_every_operation_and_sends_requests(base_url: str, alice: Client) -> None:
    try:
        found = browser.find()
    except browser.Unavailable as reason:
        pytest.skip(str(reason))
    document = alice.call("GET", "/openapi.json").json()
    operations = sum(len(methods) for methods in document["paths"].values())
    with browser.page(found) as page:
        page.call("Page.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        page.call("Page.navigate", url=f"{base_url}/docs")
        shown = until(page, "return document.querySelectorAll('.opblock').length")
        assert shown == operations
        assert page.run(f"const KEY = {json.dumps(alice.key)};" + AUTHORIZE)
        assert page.run(TRY)
        status = until(
            page,
            "return document.querySelector('#operations-Models-listModels "
            ".live-responses-table tbody .response-col_status')?.innerText",
        )
        assert status.startswith("200")
        assert page.run("return violations") == []
