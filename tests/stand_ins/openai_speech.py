"""Speech: POST /v1/audio/speech, and POST /v1/chat/completions with audio output.

The audio is a tone for each word, as long as a calm voice takes, in a WAV file whose header has no
length, because OpenAI writes the header before it knows the length. Its own modes, all charged:

silence        the audio is silent
not_sound      the bytes are not audio
long           the audio is five times as long
paraphrase     (chat) the transcript is another text
cut_off        (chat) finish_reason is `length`
filtered       (chat) finish_reason is `content_filter`, without audio
refusal        (chat) a refusal instead of audio
no_audio       (chat) `audio` is null
no_usage       (chat) `usage` is null

/v1/audio/speech returns no tokens. 20 tokens are charged for a second of audio.
"""

import array
import base64
import math
import secrets
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.stand_ins import openai_models
from tests.stand_ins.faults import Fault
from tests.stand_ins.openai_errors import (
    Refused,
    check_names,
    invalid_type,
    invalid_value,
    missing,
)
from tests.stand_ins.openai_models import Model

MODES = frozenset({"silence", "not_sound", "long"})
CHAT_MODES = MODES | {"paraphrase", "cut_off", "filtered", "refusal", "no_audio", "no_usage"}
RATE = 24_000
_TOKENS_PER_SECOND = 20
_LETTERS_PER_SECOND = 15
_LONGEST_TEXT = 4096
_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage")
_NEW_VOICES = (*_VOICES, "shimmer", "marin", "cedar")
_SPEECH = frozenset(
    {"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"}
)
_CHAT = frozenset(
    {
        *("model", "messages", "modalities", "audio", "max_completion_tokens", "store", "n"),
        *("temperature", "top_p", "metadata", "user", "seed", "safety_identifier", "stream"),
    }
)
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A valid request: the text to speak and the instructions to the model."""

    body: dict[str, Any]
    model: Model
    text: str
    instructions: str


def is_chat(body: Any) -> bool:
    """Return whether a chat completion requests audio."""
    return isinstance(body, dict) and "audio" in (body.get("modalities") or ())


def check_speech(body: Any) -> CheckedRequest:
    """Return the checked request to /v1/audio/speech. Raises Refused."""
    check_names(body, _SPEECH)
    model = openai_models.find(body.get("model"), "tts")
    text = body.get("input")
    if text is None:
        raise missing("input")
    if not isinstance(text, str):
        raise invalid_type("input", "a string", text)
    if not 1 <= len(text) <= _LONGEST_TEXT:
        raise Refused(
            400,
            f"Invalid 'input': string too long. Expected a string with maximum length "
            f"{_LONGEST_TEXT}, but got a string with length {len(text)} instead.",
            code="string_above_max_length",
            param="input",
        )
    _voice(body.get("voice"), "voice", (*_NEW_VOICES, "verse"))
    if body.get("response_format", "mp3") != "wav":
        raise invalid_value("response_format", body.get("response_format"), "'wav' (stand-in)")
    if body.get("stream_format", "audio") != "audio":
        raise invalid_value("stream_format", body["stream_format"], "'audio' (stand-in)")
    speed = body.get("speed", 1.0)
    if not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
        raise invalid_value("speed", speed, "a number from 0.25 to 4.0")
    return CheckedRequest(body, model, text, body.get("instructions") or "")


def check_chat(body: Any) -> CheckedRequest:
    """Return the checked request for a chat completion with audio. Raises Refused."""
    check_names(body, _CHAT)
    model = openai_models.find(body.get("model"), "audio")
    modalities = body["modalities"]
    if sorted(modalities) not in (["audio"], ["audio", "text"]):
        raise invalid_value("modalities", modalities, "['text', 'audio']")
    audio = body.get("audio")
    if not isinstance(audio, dict):
        raise missing("audio")
    for name in ("voice", "format"):
        if name not in audio:
            raise missing(f"audio.{name}")
    _voice(audio["voice"], "audio.voice", _NEW_VOICES)
    if audio["format"] != "wav":
        raise invalid_value("audio.format", audio["format"], "'wav' (stand-in)")
    if body.get("stream"):
        raise invalid_value("stream", True, "false (this stand-in does no more)")
    return _with_messages(body, model)


def _with_messages(body: dict[str, Any], model: Model) -> CheckedRequest:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise missing("messages")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid_value(f"messages[{number}].role", message, ", ".join(_ROLES))
        if not isinstance(message.get("content"), str):
            raise invalid_type(f"messages[{number}].content", "a string", message.get("content"))
    users = [message["content"] for message in messages if message["role"] == "user"]
    if not users:
        raise missing("messages")
    instructions = " ".join(m["content"] for m in messages if m["role"] in ("system", "developer"))
    return CheckedRequest(body, model, users[-1], instructions)


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """The bytes of /v1/audio/speech or the completion object, and the price."""

    data: bytes
    body: dict[str, Any]
    usd: Decimal


def speak(checked: CheckedRequest, fault: Fault | None) -> SpeechResult:
    """Return the response of /v1/audio/speech."""
    mode = fault.mode if fault else ""
    seconds = _seconds(checked.text, mode)
    tokens_in = _tokens(checked.text) + _tokens(checked.instructions)
    usd = checked.model.audio_price(tokens_in, 0, round(seconds * _TOKENS_PER_SECOND))
    return SpeechResult(_data(checked.text, seconds, mode), {}, usd)


def complete(checked: CheckedRequest, now: float, fault: Fault | None) -> SpeechResult:
    """Return the chat completion with audio."""
    mode = fault.mode if fault else ""
    seconds = _seconds(checked.text, mode)
    limit = checked.body.get("max_completion_tokens")
    audio, written = round(seconds * _TOKENS_PER_SECOND), _tokens(checked.text)
    finish = {"cut_off": "length", "filtered": "content_filter"}.get(mode, "stop")
    if limit is not None and audio + written > limit:
        finish, audio = "length", max(0, limit - written)
        seconds = audio / _TOKENS_PER_SECOND
    spoken_text = (
        "Here is a summary of a story, as you asked for." if mode == "paraphrase" else checked.text
    )
    sound = {
        "id": f"audio_{secrets.token_hex(16)}",
        "data": base64.b64encode(_data(spoken_text, seconds, mode)).decode(),
        "expires_at": int(now) + 3600,
        "transcript": spoken_text,
    }
    silent = mode in ("filtered", "refusal", "no_audio")
    tokens_in = _tokens(checked.text) + _tokens(checked.instructions)
    audio = 0 if silent else audio
    body = {
        "id": f"chatcmpl-{secrets.token_urlsafe(22)}",
        "object": "chat.completion",
        "created": int(now),
        "model": checked.body["model"],
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": "I can't say that." if mode == "refusal" else None,
                    "annotations": [],
                    "audio": None if silent else sound,
                },
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": None if mode == "no_usage" else _usage(tokens_in, written, audio),
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return SpeechResult(b"", body, checked.model.audio_price(tokens_in, written, audio))


def _usage(tokens_in: int, written: int, audio: int) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": written + audio,
        "total_tokens": tokens_in + written + audio,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": audio,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _voice(voice: object, name: str, known: tuple[str, ...]) -> None:
    if voice is None:
        raise missing(name)
    if voice not in known:
        raise invalid_value(name, voice, ", ".join(f"'{one}'" for one in known))


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _seconds(text: str, mode: str) -> float:
    return (5 if mode == "long" else 1) * max(0.4, len(text) / _LETTERS_PER_SECOND)


def _data(text: str, seconds: float, mode: str) -> bytes:
    if mode == "not_sound":
        return b"<html>Please wait</html>"
    samples = array.array("h", [0]) * round(seconds * RATE)
    if mode != "silence":
        words = text.split() or [text]
        each = len(samples) // len(words)
        for number in range(len(words)):
            tone = 180 + 40 * (number % 5)
            for place in range(int(each * 0.8)):
                at = number * each + place
                samples[at] = int(9000 * math.sin(2 * math.pi * tone * place / RATE))
    unknown = 0xFFFFFFFF
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        unknown,
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        RATE,
        RATE * 2,
        2,
        16,
        b"data",
        unknown,
    )
    return head + samples.tobytes()
