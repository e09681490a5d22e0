"""The page that shows the OpenAPI document: whole, by itself, and harmless."""

import base64
import hashlib
import json
import re

from api.handler import described
from api.handler import page as made
from api.openapi import document, page

DOCUMENT = json.loads(document.text(described()))


def test_everything_of_the_document_is_on_it() -> None:
    text = made()
    for path, methods in DOCUMENT["paths"].items():
        assert f"<code>{path}</code>" in text
        for method, operation in methods.items():
            assert f'<b class="{method}">' in text
            assert page._prose(operation["summary"]) in text
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert f"<code>{name}</code></summary>" in text
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in text


def test_every_link_leads_somewhere_on_it() -> None:
    text = made()
    places = re.findall(r" id=['\"]([^'\"]+)['\"]", text)
    assert len(places) == len(set(places))
    links = set(re.findall(r'href="([^"]+)"', text))
    assert links - {f"#{place}" for place in places} == {"openapi.json"}


def test_it_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    text = made()
    assert not re.search(r"<script|<img|<link|@import|url\(|\son\w+=|\sstyle=", text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.POLICY
    assert page.POLICY.startswith("default-src 'none'")
    assert "unsafe" not in page.POLICY


def test_what_stands_in_the_document_is_text() -> None:
    evil = "<script>alert(1)</script>\"'&`<b>`"
    operation = {
        "summary": evil,
        "description": evil,
        "parameters": [
            {"name": evil, "in": evil, "description": evil, "schema": {"enum": [evil]}},
            {"name": "x", "in": "query", "schema": {"pattern": evil, "default": evil}},
        ],
        "requestBody": {"content": {evil: {"schema": {"$ref": f"#/components/schemas/{evil}"}}}},
        "responses": {"200": {"description": evil}},
    }
    text = page.render(
        {
            "info": {"title": evil, "description": evil, "version": evil},
            "paths": {f"/v1/{evil}": {"get": operation}},
            "components": {"schemas": {evil: {"description": evil, "type": evil}}},
        }
    )
    assert "<script" not in text
    assert "alert(1)</" not in text
    tags = {tag.lower() for tag in re.findall(r"</?([a-zA-Z]+[0-9]?)", text)}
    assert tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "a",
        "code",
        "details",
        "summary",
        "b",
        "span",
        "div",
        "table",
        "tr",
        "th",
        "td",
        "br",
    }
    assert "&lt;b&gt;" in text
