"""Speech of the OpenAI stand-in, driven by OpenAI's own SDK with strict validation."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from common.media.wav import read_wav
from tests.stand_ins import openai as openai_stand_in
from tests.stand_ins.process import StandIn

TEXT = "The cat climbs the stairs to the light."


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai_stand_in.serve(tmp_path_factory.mktemp("book")) as running:
        yield running


@pytest.fixture(scope="module")
def client(vendor: StandIn) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=vendor.base_url,
        api_key=vendor.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def speech(client: openai.OpenAI, **more: Any) -> bytes:
    wish: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "coral", "input": TEXT}
    return client.audio.speech.create(response_format="wav", **(wish | more)).read()


def chat(client: openai.OpenAI, **more: Any) -> Any:
    wish: dict[str, Any] = {
        "model": "gpt-audio-1.5",
        "modalities": ["text", "audio"],
        "audio": {"voice": "cedar", "format": "wav"},
        "messages": [{"role": "user", "content": TEXT}],
    }
    return client.chat.completions.create(**(wish | more))


def test_speech_is_sound_for_about_as_long_as_the_text_takes(client: openai.OpenAI) -> None:
    assert 2 < read_wav(speech(client)).seconds < 4


def test_a_completion_carries_the_sound_and_what_was_said(client: openai.OpenAI) -> None:
    got = chat(client)
    audio = got.choices[0].message.audio
    sound = read_wav(base64.b64decode(audio.data))
    assert audio.transcript == TEXT
    assert got.usage.completion_tokens_details.audio_tokens == round(20 * sound.seconds)


def test_a_minute_costs_what_openai_says(vendor: StandIn, client: openai.OpenAI) -> None:
    """About 1.5 cents by the speech endpoint, in OpenAI's own words."""
    minute = read_wav(speech(client, input="word " * 180)).seconds
    assert float(vendor.charges()[-1].amount) / minute * 60 == pytest.approx(0.015, abs=0.001)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": "gpt-9-tts"}, "model"),
        ({"model": "gpt-audio-1.5"}, "model"),
        ({"voice": "hal"}, "voice"),
        ({"input": "a" * 4097}, "input"),
        ({"speed": 9.0}, "speed"),
        ({"extra_body": {"emotion": "sad"}}, "emotion"),
    ],
)
def test_what_the_speech_endpoint_does_not_take(
    more: dict[str, Any], param: str, vendor: StandIn, client: openai.OpenAI
) -> None:
    charged = len(vendor.charges())
    with pytest.raises(openai.APIStatusError) as caught:
        speech(client, **more)
    body: Any = caught.value.body
    assert body["param"] == param
    assert len(vendor.charges()) == charged


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": "gpt-4o-mini-tts"}, "model"),
        ({"audio": {"voice": "cedar"}}, "audio.format"),
        ({"audio": {"voice": "hal", "format": "wav"}}, "audio.voice"),
        ({"messages": []}, "messages"),
        ({"extra_body": {"reasoning": {}}}, "reasoning"),
    ],
)
def test_what_a_spoken_completion_does_not_take(
    more: dict[str, Any], param: str, vendor: StandIn, client: openai.OpenAI
) -> None:
    charged = len(vendor.charges())
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client, **more)
    body: Any = caught.value.body
    assert body["param"] == param
    assert len(vendor.charges()) == charged


def test_what_was_charged_stands_in_the_book(vendor: StandIn, client: openai.OpenAI) -> None:
    chat(client)
    speech(client)
    spoken, read = vendor.charges()[-2:]
    assert (spoken.kind, read.kind) == ("chat.completions", "audio.speech")
    assert (spoken.model, read.model) == ("gpt-audio-1.5", "gpt-4o-mini-tts")
    assert spoken.amount > read.amount > 0
