"""Validation of asynchronous invocations of Luma Ray 2 (`luma.ray-v2:0`) on Amazon Bedrock.

modelInput: prompt (1 to 5000 characters), and optionally aspect_ratio, duration "5s" | "9s",
resolution "540p" | "720p", loop, and keyframes {frame0?, frame1?} of {type: "image", source:
{type: "base64", media_type: image/jpeg | image/png, data}}.

Not verified: the texts of errors, sizes for ratios other than 16:9 and 9:16, and the price (US
dollars a second: 0.75 at 540p, 1.50 at 720p).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.stand_ins import pictures
from tests.stand_ins.wire import WireResponse, as_json

MODEL = "luma.ray-v2:0"
_SIZES = {
    "16:9": (1280, 720),
    "9:16": (720, 1280),
    "1:1": (960, 960),
    "4:3": (1104, 832),
    "3:4": (832, 1104),
    "21:9": (1584, 672),
    "9:21": (672, 1584),
}
_VALUES = {
    "aspect_ratio": tuple(_SIZES),
    "duration": ("5s", "9s"),
    "resolution": ("540p", "720p"),
    "loop": (True, False),
}
_NAMES = {"prompt", "keyframes", *_VALUES}
_TYPES = ("image/jpeg", "image/png")
_PROMPT = 5000
_S3_URI = re.compile(r"s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/.*)?")
_TOKEN = re.compile(r"[!-~]{1,256}")
_STATUS = {
    "ValidationException": 400,
    "ConflictException": 400,
    "ServiceQuotaExceededException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A valid invocation."""

    prompt: str
    size: tuple[int, int]
    seconds: int
    usd: Decimal
    colour: tuple[int, int, int]
    s3_uri: str


class Invalid(Exception):
    """Raised for a request that the service rejects."""


def error(kind: str, message: str) -> WireResponse:
    """Return an error response in the format of the service."""
    return as_json(_STATUS[kind], {"message": message}).plus({"x-amzn-errortype": kind})


def check(body: Any) -> CheckedRequest:
    """Return the checked request. Raises Invalid with the reason."""
    if not isinstance(body, dict) or body.get("modelId") != MODEL:
        raise Invalid("The provided model identifier is invalid.")
    token = body.get("clientRequestToken")
    if token is not None and not _TOKEN.fullmatch(token):
        raise Invalid("Value at 'clientRequestToken' failed to satisfy constraint [!-~]{1,256}.")
    place = (body.get("outputDataConfig") or {}).get("s3OutputDataConfig") or {}
    uri = place.get("s3Uri", "")
    if not _S3_URI.fullmatch(uri):
        raise Invalid("Value at 'outputDataConfig.s3OutputDataConfig.s3Uri' is no S3 address.")
    body = body.get("modelInput")
    if not isinstance(body, dict):
        raise Invalid("Value at 'modelInput' must be an object.")
    return _parse(body, uri)


def _parse(body: dict[str, Any], uri: str) -> CheckedRequest:
    if strange := set(body) - _NAMES:
        raise Invalid(f"Invalid modelInput: unknown fields {sorted(strange)}.")
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= _PROMPT:
        raise Invalid(f"Invalid modelInput: prompt must have 1 to {_PROMPT} characters.")
    for name, values in _VALUES.items():
        if name in body and body[name] not in values:
            raise Invalid(f"Invalid modelInput: {name} must be one of {list(values)}.")
    frames = body.get("keyframes", {})
    if not isinstance(frames, dict) or set(frames) - {"frame0", "frame1"}:
        raise Invalid("Invalid modelInput: keyframes may have frame0 and frame1.")
    looks = [_frame(name, frame) for name, frame in sorted(frames.items())]
    width, height = _SIZES[body.get("aspect_ratio", "16:9")]
    high = body.get("resolution", "720p") == "720p"
    seconds = int(body.get("duration", "5s").removesuffix("s"))
    return CheckedRequest(
        prompt,
        (width, height) if high else (width * 3 // 8 * 2, height * 3 // 8 * 2),
        seconds,
        Decimal("1.50" if high else "0.75") * seconds,
        pictures.mean_colour(looks[0]) if looks else pictures.colour(prompt.encode()),
        uri,
    )


def _frame(name: str, frame: Any) -> bytes:
    source = frame.get("source", {}) if isinstance(frame, dict) else {}
    if frame.get("type") != "image" or source.get("type") != "base64":
        raise Invalid(f"Invalid modelInput: {name} must be an image with a base64 source.")
    if source.get("media_type") not in _TYPES:
        raise Invalid(f"Invalid modelInput: {name}.media_type must be one of {list(_TYPES)}.")
    try:
        data = base64.b64decode(source.get("data", ""), validate=True)
        real, _, _ = pictures.look(data)
    except (binascii.Error, ValueError):
        real, data = "", b""
    if real != source["media_type"]:
        raise Invalid(f"Invalid modelInput: {name} is no {source['media_type']}.")
    return data
