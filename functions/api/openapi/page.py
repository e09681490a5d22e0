"""The OpenAPI document as a page to read: one HTML text, without script and without anything else.

What stands in it was made by this project, and is escaped all the same.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

_CSS = Path(__file__).with_suffix(".css").read_text()
_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
POLICY += "frame-ancestors 'none'"
"""The Content-Security-Policy of the page: its own style sheet and nothing else."""

_METHODS = ("get", "head", "post", "patch", "put", "delete")
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} fields",
    "pattern": "matches {}",
}

_PROGRAMS = """<a href="openapi.json">openapi.json</a>. Send an API key as
<code>Authorization: Bearer …</code> or <code>X-API-Key: …</code>."""

Json = Mapping[str, Any]


def render(document: Json) -> str:
    """Return the page of an OpenAPI document."""
    info = document["info"]
    parts = [
        f"<h1>{escape(info['title'])}</h1>",
        f"<p>{_prose(info['description'])}</p>",
        f'<p class="dim">Version {escape(info["version"])}. The same for programs: {_PROGRAMS}</p>',
    ]
    for name, operations in _groups(document["paths"]).items():
        parts.append(f"<h2>{escape(name)}</h2>")
        parts += [_operation(*operation) for operation in operations]
    parts.append("<h2>Objects</h2>")
    schemas: Json = document["components"]["schemas"]
    parts += [_object(name, schema) for name, schema in sorted(schemas.items())]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: API</title><style>{_CSS}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def _groups(paths: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """Sort operations by the first two parts of their path, such as `/v1/videos`."""
    groups: dict[str, list[tuple[str, str, Json]]] = {}
    for path in sorted(paths, key=lambda path: (not path.startswith("/v1/"), path)):
        for method in _METHODS:
            if method in paths[path]:
                name = "/".join(path.split("/")[:3])
                groups.setdefault(name, []).append((method, path, paths[path][method]))
    return groups


def _operation(method: str, path: str, operation: Json) -> str:
    parts = [f"<p>{_prose(operation['description'])}</p>"] if "description" in operation else []
    if operation.get("security") == []:
        parts.append('<p class="dim">Needs no API key.</p>')
    if parameters := operation.get("parameters"):
        rows = [
            [
                f"<code>{escape(one['name'])}</code>",
                escape(one["in"]) + (", required" if one.get("required") else ""),
                _type(one["schema"]),
                _prose(one.get("description", "")),
            ]
            for one in parameters
        ]
        parts.append("<h3>Parameters</h3>" + _table(("Name", "Where", "Type", ""), rows))
    if body := operation.get("requestBody"):
        parts.append(f"<h3>Body</h3><p>{_content(body)}</p>")
    rows = [
        [f"<code>{escape(status)}</code>", _content(answer), _prose(answer["description"])]
        for status, answer in sorted(operation["responses"].items())
    ]
    parts.append("<h3>Answers</h3>" + _table(("Status", "Body", ""), rows))
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{_prose(operation.get('summary', ''))}</span></summary>"
        f"<div id='{method}{_anchor(path)}'>{''.join(parts)}</div></details>"
    )


def _object(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        [
            f"<code>{escape(field)}</code>",
            _type(inner) + (", required" if field in required else ""),
            _prose(inner.get("description", "")),
        ]
        for field, inner in schema.get("properties", {}).items()
    ]
    table = _table(("Field", "Type", ""), rows) if rows else f"<p>{_type(schema)}</p>"
    about = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    return (
        # The id is inside, so that a link to it opens the element.
        f"<details><summary><code>{escape(name)}</code></summary>"
        f"<div id='{_anchor(name)}'>{about}{table}</div></details>"
    )


def _content(described: Json) -> str:
    """Name what a body holds: `Video as application/json`."""
    named = [
        f"{_type(content['schema'])} <span class='dim'>as {escape(media_type)}</span>"
        for media_type, content in described.get("content", {}).items()
        if "schema" in content
    ]
    return "<br>".join(named) or '<span class="dim">none</span>'


def _type(schema: Json) -> str:
    """Describe a schema in a line, with links to the objects that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[key]))
    if "const" in schema or "enum" in schema:
        return _values(schema.get("enum", [schema.get("const")]))
    kind = escape(str(schema.get("type", "anything")))
    if "items" in schema:
        kind = f"list of {_type(schema['items'])}"
    elif isinstance(schema.get("additionalProperties"), Mapping):
        kind = f"object of {_type(schema['additionalProperties'])}"
    if "format" in schema:
        kind += f" ({escape(schema['format'])})"
    bounds = [
        text.format(f"<code>{escape(_number(schema[key]))}</code>")
        for key, text in _BOUNDS.items()
        if key in schema
    ]
    if schema.get("default") is not None:
        bounds.append(f"by default {_values([schema['default']])}")
    return ", ".join([kind, *bounds])


def _values(values: Iterable[Any]) -> str:
    return ", ".join(
        f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>" for value in values
    )


def _number(value: Any) -> str:
    """Return a bound as people write it: 60, not 60.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _prose(text: str) -> str:
    """Escape a text, and set what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="table"><table><tr>{top}</tr>{body}</table></div>'
