"""POST /v1/images/generations (JSON) and /v1/images/edits (multipart).

Its own modes, all charged:

empty_data     `data` is []
null_data      `data` is null
null_b64       `b64_json` is null
wrong_size     the image is 16 pixels narrower than requested
not_a_picture  `b64_json` is valid base64 of something else
"""

import base64
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.stand_ins import openai_models, pictures
from tests.stand_ins.multipart import Part
from tests.stand_ins.openai_errors import (
    Refused,
    check_names,
    invalid_type,
    invalid_value,
    missing,
)
from tests.stand_ins.openai_models import Model

MODES = frozenset({"empty_data", "null_data", "null_b64", "wrong_size", "not_a_picture"})
_SHARED = {
    *("prompt", "model", "n", "size", "quality", "background", "output_format"),
    *("output_compression", "partial_images", "stream", "user", "safety_identifier"),
    *("complexity", "frame_count", "frame_duration_ms", "svg"),
}
_GENERATE = frozenset(_SHARED | {"moderation"})
_EDIT = frozenset(_SHARED | {"input_fidelity"})
_FILES = ("image", "image[]", "mask", "markup")
_STANDARD = {"1024x1024": (1024, 1024), "1536x1024": (1536, 1024), "1024x1536": (1024, 1536)}
_ENUMS = {
    "background": ("transparent", "opaque", "auto"),
    "output_format": ("png", "webp", "jpeg"),
    "moderation": ("low", "auto"),
}
_NUMBERS = {"n": (1, 10), "output_compression": (0, 100), "partial_images": (0, 3)}
_PROMPT, _IMAGES, _BYTES, _MASK_BYTES = 32_000, 16, 50_000_000, 4_000_000
_TYPES = ("image/jpeg", "image/png", "image/webp")
_BASES = {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}
_BASES_2 = {"low": 16, "medium": 48, "high": 96}


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A valid request for images. `inputs` are the images to edit, in order."""

    fields: dict[str, Any]
    model: Model
    size: tuple[int, int]
    quality: str
    inputs: tuple[bytes, ...] = ()

    @property
    def prompt(self) -> str:
        """The prompt."""
        return str(self.fields["prompt"])

    @property
    def number(self) -> int:
        """The number of images."""
        return int(self.fields.get("n") or 1)

    @property
    def form(self) -> str:
        """The file format of the result."""
        return str(self.fields.get("output_format") or "png")


def check_generation(body: Any) -> CheckedRequest:
    """Return the checked JSON request. Raises Refused."""
    check_names(body, _GENERATE)
    for name in _NUMBERS:
        if body.get(name) is not None and not isinstance(body[name], int):
            raise invalid_type(name, "an integer", body[name])
    return _check(body, ())


def check_edit(parts: list[Part]) -> CheckedRequest:
    """Return the checked multipart request. Raises Refused."""
    fields = _text_fields(parts)
    checked = _check(fields, tuple(part.data for part in _files(parts)))
    if "input_fidelity" in fields and checked.model.free_size:
        raise Refused(
            400,
            "Unsupported parameter: 'input_fidelity' is not supported with this model.",
            code="unsupported_parameter",
            param="input_fidelity",
        )
    for part in parts:
        if part.name in ("mask", "markup"):
            _check_mask(part, checked.inputs[0])
    return checked


def _text_fields(parts: list[Part]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in parts:
        if part.name not in _FILES:
            fields[part.name] = part.text()
        elif part.filename is None:
            raise invalid_type(part.name, "a file", part.text())
    check_names(fields, _EDIT)
    for name in _NUMBERS:
        if name in fields:
            if not fields[name].isdigit():
                raise invalid_type(name, "an integer", fields[name])
            fields[name] = int(fields[name])
    return fields


def _files(parts: list[Part]) -> list[Part]:
    files = [part for part in parts if part.name in ("image", "image[]")]
    if not files:
        raise missing("image")
    single = any(part.name == "image" for part in files)
    if single and len(files) > 1:
        raise Refused(
            400,
            "Duplicate parameter: 'image'. You provided multiple values for this parameter, "
            "whereas only one is allowed. If you are trying to provide a list of values, use "
            "the array syntax instead e.g. 'image[]=<value>'.",
            code="duplicate_parameter",
            param="image",
        )
    if len(files) > _IMAGES:
        raise invalid_value("image", f"{len(files)} files", f"1 to {_IMAGES} files")
    for number, part in enumerate(files):
        _check_file(part, "image" if single else f"image[{number}]", number)
    return files


def _check_file(part: Part, name: str, number: int) -> None:
    if part.content_type not in _TYPES:
        raise Refused(
            400,
            f"Invalid file '{name}': unsupported mimetype ('{part.content_type}'). Supported file "
            "formats are 'image/jpeg', 'image/png', and 'image/webp'.",
            code="unsupported_file_mimetype",
            param=name,
        )
    try:
        real, _, _ = pictures.look(part.data)
    except ValueError:
        real = ""
    if real != part.content_type or len(part.data) >= _BYTES:
        raise Refused(
            400,
            f"Invalid image file or mode for image {number + 1}, please check your image file.",
            kind="image_generation_user_error",
            code="invalid_image_file",
            param="image",
        )


def _check_mask(part: Part, first: bytes) -> None:
    try:
        kind, *size = pictures.look(part.data)
    except ValueError:
        kind, size = "", []
    fits = kind == "image/png" and size == list(pictures.look(first)[1:])
    if not fits or not pictures.has_alpha(part.data) or len(part.data) >= _MASK_BYTES:
        raise Refused(
            400,
            f"Invalid {part.name} image: it must be a PNG with alpha, of the first image's size.",
            kind="image_generation_user_error",
            code="invalid_image_file",
            param=part.name,
        )


def _check(fields: dict[str, Any], inputs: tuple[bytes, ...]) -> CheckedRequest:
    model = openai_models.find(fields.get("model"), "image")
    prompt = fields.get("prompt")
    if prompt is None:
        raise missing("prompt")
    if not isinstance(prompt, str):
        raise invalid_type("prompt", "a string", prompt)
    if not 1 <= len(prompt) <= _PROMPT:
        raise Refused(
            400,
            f"Invalid 'prompt': expected 1 to {_PROMPT} characters, got {len(prompt)}.",
            code="string_above_max_length" if prompt else "empty_string",
            param="prompt",
        )
    for name, allowed in _ENUMS.items():
        if fields.get(name) is not None and fields[name] not in allowed:
            raise invalid_value(name, fields[name], ", ".join(f"'{a}'" for a in allowed))
    for name, (low, high) in _NUMBERS.items():
        if fields.get(name) is not None and not low <= fields[name] <= high:
            raise invalid_value(name, fields[name], f"{low} to {high}")
    if fields.get("background") == "transparent" and fields.get("output_format") == "jpeg":
        raise invalid_value("background", "transparent", "'opaque' with output_format 'jpeg'")
    quality = fields.get("quality") or "auto"
    if quality != "auto" and quality not in model.qualities:
        raise invalid_value("quality", quality, ", ".join((*model.qualities, "auto")))
    return CheckedRequest(
        fields,
        model,
        _size(fields.get("size") or "auto", model),
        "medium" if quality == "auto" else quality,
        inputs,
    )


def _size(text: object, model: Model) -> tuple[int, int]:
    if text == "auto":
        return _STANDARD["1024x1024"]
    if text in _STANDARD:
        return _STANDARD[str(text)]
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", str(text))
    if not match or not model.free_size:
        raise _bad_size(text, f"Supported sizes are {', '.join(_STANDARD)}, and auto.")
    width, height = int(match[1]), int(match[2])
    if width % 16 or height % 16:
        raise _bad_size(text, "Width and height must be divisible by 16.")
    if not 1 / 3 <= width / height <= 3:
        raise _bad_size(text, "The aspect ratio must be between 1:3 and 3:1.")
    if max(width, height) > 3840:
        raise _bad_size(text, "No edge may be longer than 3840 pixels.")
    if not 655_360 <= width * height <= 8_294_400:
        raise _bad_size(text, "The picture must have 655360 to 8294400 pixels.")
    return width, height


def _bad_size(text: object, why: str) -> Refused:
    return Refused(
        400,
        f"Invalid size '{text}'. {why}",
        kind="image_generation_user_error",
        code="invalid_value",
        param="size",
    )


# -- processing ------------------------------------------------------------------------------------
def usage(checked: CheckedRequest) -> dict[str, Any]:
    """Return the tokens, by the formula of the vendor's price calculator."""
    width, height = checked.size
    bases = _BASES if "xhigh" in checked.model.qualities else _BASES_2
    base = bases[checked.quality]
    units = round(base / (max(width, height) / min(width, height)))
    out = math.ceil(base * units * (2e6 + width * height) / 4e6) * checked.number
    text = -(-len(checked.prompt) // 4)
    looked = [pictures.look(data) for data in checked.inputs]
    image = sum(_patches(w, h) for _, w, h in looked)
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": out,
        "output_tokens_details": {"image_tokens": out, "text_tokens": 0},
        "total_tokens": text + image + out,
    }


def _patches(width: int, height: int) -> int:
    """Return the patches of an input image, as a user measured them; OpenAI documents nothing.

    https://community.openai.com/t/1382940: enlarged to 1024 pixels on its longer side, at most
    twice; a canvas of at most 3:1; patches of 32 pixels; scaled down to at most 1,536 of them.
    """
    factor = min(2.0, max(1.0, 1024 / max(width, height)))
    wide, high = round(width * factor), round(height * factor)
    wide, high = max(wide, math.ceil(high / 3)), max(high, math.ceil(wide / 3))
    if (count := math.ceil(wide / 32) * math.ceil(high / 32)) <= 1536:
        return count
    shrink = math.sqrt(32 * 32 * 1536 / (wide * high))
    return math.floor(wide * shrink / 32) * math.floor(high * shrink / 32)


def price(tokens: dict[str, Any]) -> Decimal:
    """Return the price in US dollars: text in 5, image in 8, out 30 per million tokens."""
    inputs = tokens["input_tokens_details"]
    text, image, out = inputs["text_tokens"], inputs["image_tokens"], tokens["output_tokens"]
    return Decimal(5 * text + 8 * image + 30 * out) / 1_000_000


def paint(checked: CheckedRequest, now: float, tokens: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return the response object with real images of exactly the requested size."""
    width, height = checked.size
    size = (width - 16, height) if mode == "wrong_size" else checked.size
    data: list[dict[str, Any]] | None = []
    for number in range(0 if mode in ("empty_data", "null_data") else checked.number):
        words = checked.prompt if number == 0 else f"{checked.prompt} ({number + 1})"
        picture = pictures.draw(size, words, checked.inputs, checked.form)
        if mode == "not_a_picture":
            picture = b"not a picture"
        text = None if mode == "null_b64" else base64.b64encode(picture).decode()
        assert data is not None
        data.append({"b64_json": text})
    answer = {
        "created": int(now),
        "background": "transparent"
        if checked.fields.get("background") == "transparent"
        else "opaque",
        "output_format": checked.form,
        "quality": checked.quality,
        "size": f"{width}x{height}",
        "data": None if mode == "null_data" else data,
        "usage": tokens,
    }
    who = checked.fields.get("safety_identifier") or checked.fields.get("user")
    return answer | ({"safety_identifier": who} if who else {})
