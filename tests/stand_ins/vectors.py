"""Test vectors: documented bodies of the vendors' APIs, one JSON file each in `vectors/`.

A vector: {name, kind: request | response | sse | error, body, http_status?, headers?,
model?, sdk_exception?, sdk_retries_by_default?, safe_to_retry_unchanged?, note?}.
`runway_models.json` is not a vector: it lists the fields of each Runway model.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.stand_ins.wire import WireResponse, as_json

_HERE = Path(__file__).parent / "vectors"


@cache
def load(name: str) -> dict[str, Any]:
    """Return the vector of that name. Raises KeyError if there is none."""
    path = _HERE / f"{name}.json"
    if not path.is_file():
        raise KeyError(f"There is no vector '{name}'.")
    vector: dict[str, Any] = json.loads(path.read_text())
    return vector


def names(*kinds: str, vendor: str = "") -> list[str]:
    """Return the names of the vectors of these kinds (all if none is given)."""
    stems = (path.stem for path in sorted(_HERE.glob(f"{vendor}*.json")))
    loaded = ((name, load(name).get("kind")) for name in stems)
    return [name for name, kind in loaded if kind is not None and (not kinds or kind in kinds)]


@cache
def runway_models() -> dict[str, Any]:
    """Return endpoint -> model -> field -> rule."""
    return load("runway_models")


def answer(name: str) -> WireResponse:
    """Return the vector as an HTTP response, with the same bytes each time."""
    vector = load(name)
    body, status = vector["body"], vector.get("http_status", 200)
    headers = dict(vector.get("headers", {}))
    if vector["kind"] == "request":
        raise KeyError(f"'{name}' is a request; it cannot be answered.")
    if vector["kind"] == "sse":
        text = "".join(
            f"event: {event['event']}\ndata: {json.dumps(event['data'])}\n\n" for event in body
        )
        return WireResponse(status, text.encode(), {"content-type": "text/event-stream", **headers})
    if isinstance(body, str):
        return WireResponse(status, body.encode(), {"content-type": "text/html", **headers})
    return as_json(status, body).plus({}) if not headers else _with(status, body, headers)


def _with(status: int, body: object, headers: dict[str, str]) -> WireResponse:
    return WireResponse(status, as_json(status, body).body, headers)
