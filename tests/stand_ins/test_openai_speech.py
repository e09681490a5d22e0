"""Speech endpoints of the OpenAI stand-in, called by OpenAI's SDK with strict validation."""

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
    body_: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "coral", "input": TEXT}
    return client.audio.speech.create(response_format="wav", **(body_ | more)).read()


def chat(client: openai.OpenAI, **more: Any) -> Any:
    body_: dict[str, Any] = {
        "model": "gpt-audio-1.5",
        "modalities": ["text", "audio"],
        "audio": {"voice": "cedar", "format": "wav"},
        "messages": [{"role": "user", "content": TEXT}],
    }
    return client.chat.completions.create(**(body_ | more))


def test_openai_speech_duration_matches_text(client: openai.OpenAI) -> None:
    assert 2 < read_wav(speech(client)).seconds < 4


def test_openai_chat_audio_has_transcript_and_tokens(client: openai.OpenAI) -> None:
    response = chat(client)
    audio = response.choices[0].message.audio
    sound = read_wav(base64.b64decode(audio.data))
    assert audio.transcript == TEXT
    assert response.usage.completion_tokens_details.audio_tokens == round(20 * sound.seconds)


def test_openai_speech_price_per_minute_matches_documentation(
    vendor: StandIn, client: openai.OpenAI
) -> None:
    """OpenAI documents about 1.5 cents a minute for the speech endpoint."""
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
def test_openai_speech_request_is_validated(
    more: dict[str, Any], param: str, vendor: StandIn, client: openai.OpenAI
) -> None:
    charges = len(vendor.charges())
    with pytest.raises(openai.APIStatusError) as caught:
        speech(client, **more)
    body: Any = caught.value.body
    assert body["param"] == param
    assert len(vendor.charges()) == charges


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
def test_openai_chat_audio_request_is_validated(
    more: dict[str, Any], param: str, vendor: StandIn, client: openai.OpenAI
) -> None:
    charges = len(vendor.charges())
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client, **more)
    body: Any = caught.value.body
    assert body["param"] == param
    assert len(vendor.charges()) == charges


def test_openai_speech_charges_are_recorded(vendor: StandIn, client: openai.OpenAI) -> None:
    chat(client)
    speech(client)
    completion, speech_charge = vendor.charges()[-2:]
    assert (completion.kind, speech_charge.kind) == ("chat.completions", "audio.speech")
    assert (completion.model, speech_charge.model) == ("gpt-audio-1.5", "gpt-4o-mini-tts")
    assert completion.amount > speech_charge.amount > 0
