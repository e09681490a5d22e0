"""Validation of request bodies by Runway's rules, with errors in the format of zod.

The rules of each model are in `vectors/runway_models.json`. Text lengths are counted in UTF-16 code
units. Unknown fields are ignored, except by the Veo models, which reject them.
"""

from typing import Any

from tests.stand_ins import vectors
from tests.stand_ins.wire import WireResponse, as_json

JSON = "application/json; charset=utf-8"
DOCS = "https://docs.dev.runwayml.com/api"
Issue = dict[str, Any]
Path = tuple[str | int, ...]
_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}
_NOTHING = object()


class Invalid(Exception):
    """Raised for an invalid body: 400 with the list of issues."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(issues)
        self.answer: WireResponse = as_json(
            400,
            {"error": "Validation of body failed", "issues": list(issues), "docUrl": DOCS},
            JSON,
        )


def check(endpoint: str, body: Any) -> None:
    """Raise Invalid unless the body is valid for the endpoint; images are not checked."""
    if not isinstance(body, dict):
        raise Invalid(_wrong_type((), "object", body))
    models = vectors.runway_models()[endpoint]
    model = body.get("model", _NOTHING)
    no_match = {
        "code": "invalid_union",
        "errors": [],
        "note": "No matching discriminator",
        "discriminator": "model",
        "path": ["model"],
        "message": "Invalid input",
    }
    if not isinstance(model, str):
        raise Invalid(_wrong_type(("model",), "string", model), no_match)
    if model not in models:
        raise Invalid(no_match)
    rules: dict[str, Any] = models[model]
    issues = [
        issue
        for name, rule in rules.items()
        for issue in _field((name,), rule, body.get(name, _NOTHING))
    ]
    strange = sorted(set(body) - set(rules) - {"model"})
    if strange and model.startswith("veo"):
        names_ = ", ".join(f'"{name}"' for name in strange)
        key = "key" if len(strange) == 1 else "keys"
        issues.append(
            {
                "code": "unrecognized_keys",
                "keys": strange,
                "path": [],
                "message": f"Unrecognized {key}: {names_}",
            }
        )
    if issues:
        raise Invalid(*issues)


def check_upload(body: Any) -> None:
    """Raise Invalid unless it is {"filename": text, "type": "ephemeral"}."""
    if not isinstance(body, dict):
        raise Invalid(_wrong_type((), "object", body))
    issues = _field(
        ("filename",),
        {"required": True, "type": "string", "bounds": [3, 255]},
        body.get("filename", _NOTHING),
    )
    issues += _field(
        ("type",),
        {"required": True, "type": "enum", "enum": ["ephemeral"]},
        body.get("type", _NOTHING),
    )
    if issues:
        raise Invalid(*issues)


def units(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def custom(path: Path, message: str) -> Issue:
    """Return the issue of a custom check of the vendor, such as those of images."""
    return {"code": "custom", "message": message, "path": list(path)}


def too_big(path: Path, origin: str, maximum: int) -> Issue:
    """Return the issue of a value above its maximum."""
    return _bound(path, "too_big", origin, maximum)


def _field(path: Path, rule: dict[str, Any], value: Any) -> list[Issue]:
    kind = rule["type"]
    if value is _NOTHING and not rule["required"]:
        return []
    if kind == "enum":
        return [] if value in rule["enum"] else [_not_one_of(path, rule["enum"])]
    if "array" in kind:
        return _images(path, rule, value)
    if not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
        if kind == "integer" and isinstance(value, float):
            return [_wrong_type(path, "int", value)]
        return [_wrong_type(path, "number" if kind == "integer" else kind, value)]
    if kind == "object":
        inner = {"required": False, "type": "enum", "enum": ["auto", "low"]}
        where = (*path, "publicFigureThreshold")
        return _field(where, inner, value.get("publicFigureThreshold", _NOTHING))
    return _bounds(path, rule, value)


def _bounds(path: Path, rule: dict[str, Any], value: Any) -> list[Issue]:
    origin = "string" if isinstance(value, str) else "number"
    size = units(value) if isinstance(value, str) else value
    low, high = rule.get("bounds", (size, size))
    if size < low:
        return [_bound(path, "too_small", origin, low)]
    return [too_big(path, origin, high)] if size > high else []


def _images(path: Path, rule: dict[str, Any], value: Any) -> list[Issue]:
    if isinstance(value, str) and "string" in rule["type"]:
        return _uri(path, value)
    if not isinstance(value, list):
        if value is _NOTHING:
            return [_wrong_type(path, "string", value)]
        return [
            {"code": "invalid_union", "errors": [], "path": [*path], "message": "Invalid input"}
        ]
    low, high = rule.get("items_bounds", (1, len(value)))
    if len(value) < low:
        return [_bound(path, "too_small", "array", low)]
    if len(value) > high:
        return [too_big(path, "array", high)]
    places = ["first"] if high == 1 else ["first", "last"]
    issues = [
        issue
        for number, item in enumerate(value)
        for issue in _placed_image((*path, number), places, item)
    ]
    given = [item.get("position") for item in value if isinstance(item, dict)]
    if not issues and ("first" not in given or len(set(given)) < len(given)):
        issues.append(custom(path, "Provide one first image, and at most one last image."))
    return issues


def _placed_image(path: Path, places: list[str], item: Any) -> list[Issue]:
    if not isinstance(item, dict):
        return [_wrong_type(path, "object", item)]
    issues = []
    if item.get("position") not in places:
        issues.append(_not_one_of((*path, "position"), places))
    uri = item.get("uri", _NOTHING)
    if isinstance(uri, str):
        return issues + _uri((*path, "uri"), uri)
    return [*issues, _wrong_type((*path, "uri"), "string", uri)]


def _uri(path: Path, uri: str) -> list[Issue]:
    bounds: dict[str, list[int]] = vectors.runway_models()["_uri_length_bounds"]
    for start, (low, high) in bounds.items():
        mark = start if ":" in start else f"{start}://"
        if uri.startswith(mark):
            if len(uri) < low:
                return [_bound(path, "too_small", "string", low)]
            return [too_big(path, "string", high)] if len(uri) > high else []
    return [custom(path, "Must be an https:// URL, a runway:// URI or a data:image/ URI.")]


def _not_one_of(path: Path, values: list[Any]) -> Issue:
    names_ = "|".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)
    return {
        "code": "invalid_value",
        "values": values,
        "path": list(path),
        "message": f"Invalid option: expected one of {names_}",
    }


def _wrong_type(path: Path, expected: str, value: Any) -> Issue:
    names = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}
    if value is _NOTHING:
        got = "undefined"
    elif value is None:
        got = "null"
    else:
        got = names.get(type(value), "object")
    return {
        "expected": expected,
        "code": "invalid_type",
        "path": list(path),
        "message": f"Invalid input: expected {expected}, received {got}",
    }


def _bound(path: Path, code: str, origin: str, bound: int) -> Issue:
    big = code == "too_big"
    sign = "<=" if big else ">="
    end = {"string": " characters", "array": " items"}.get(origin, "")
    have = "to be" if origin == "number" else "to have"
    return {
        "origin": origin,
        "code": code,
        "maximum" if big else "minimum": bound,
        "inclusive": True,
        "path": list(path),
        "message": f"Too {'big' if big else 'small'}: expected {origin} {have} {sign}{bound}{end}",
    }
