"""Speaking time of a text, its shortening to the length of a scene, and WAV parsing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import narration
from common.domain.errors import MediaError
from common.media.wav import PcmAudio, read_wav

TEXT = "The boat leaves the quay. It crosses the whole city in the rain. Lanterns are lit."


def test_fit_keeps_the_whole_sentences_that_fit() -> None:
    assert narration.fit(TEXT, 3) == "The boat leaves the quay."
    assert narration.fit(TEXT, 20) == TEXT


MOST_ACCELERATION = 1.4  # a first sentence may be this much too long, and is then spoken faster


def test_fit_keeps_a_slightly_long_first_sentence() -> None:
    text = "First look at the world around the quiet keeper. Then another."
    assert narration.seconds_to_say(text[:48]) > narration.speech_seconds(3.6)
    assert narration.fit(text, 3.6) == text[:48]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It crosses the whole city in the pouring rain", "It crosses the whole city."),
        ("Look at the old keeper and the deep blue sea", "Look at the old keeper."),
        ("They leave at dawn, for the sea and the far islands", "They leave at dawn."),
        ("Ein kleiner Fuchs geht durch die Stadt und dann in den Wald", "Ein kleiner Fuchs geht."),
        ("在雨中的城市里，一只小狐狸慢慢地穿过桥遇见了一位朋友", "在雨中的城市里。"),
        ("一只小狐狸慢慢地穿过桥遇见了一位朋友", "一只小狐狸慢慢地穿过。"),
        ("एक छोटी लोमड़ी और उसका दोस्त जंगल में चलते हैं", "एक छोटी लोमड़ी और उसका दोस्त जंगल।"),
        ("ثعلب صغير يمشي في المدينة القديمة تحت المطر", "ثعلب صغير يمشي في المدينة."),
        ("สุนัขจิ้งจอกตัวน้อยเดินผ่านเมืองในสายฝนยามเช้า", "สุนัขจิ้งจอกตัวน้อยเดินผ่านเมืองในสายฝนยาม"),
    ],
)
def test_fit_ends_a_long_sentence_at_a_phrase_boundary(text: str, expected: str) -> None:
    """Never after an article or a conjunction, and with the full stop of its script."""
    assert narration.fit(text, 2) == expected


def test_sentences_end_at_full_stops_of_their_script() -> None:
    text = "Mr. Bo saw 3.5 km. „Go!“ e.g. this. 船。夜！ एक। दो॥ هل؟ نعم. U.S. ship"
    assert narration.sentences(text) == [
        "Mr. Bo saw 3.5 km.",
        "„Go!“",
        "e.g. this.",
        "船。",
        "夜！",
        "एक।",
        "दो॥",
        "هل؟",
        "نعم.",
        "U.S. ship",
    ]


@pytest.mark.parametrize("text", ["船" * 200, "дом " * 200, "Wort" * 200, "a. " * 200])
def test_fit_returns_fitting_text_in_every_script(text: str) -> None:
    shortened = narration.fit(text, 3)
    assert shortened
    assert (
        narration.seconds_to_say(shortened) <= MOST_ACCELERATION * narration.speech_seconds(3) + 0.4
    )  # the added full stop


@given(st.text(max_size=400), st.integers(1, 20))
def test_fit_returns_a_prefix(text: str, seconds: int) -> None:
    shortened, normalized = narration.fit(text, seconds), " ".join(text.split())
    assert normalized.startswith((shortened, shortened[:-1]))


def test_speaking_rate_is_about_two_and_a_half_words_per_second() -> None:
    minute = "The small boat goes down to the river again. " * 16  # 144 words
    assert 50 < narration.seconds_to_say(minute) < 68


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0])
def test_streamed_wav_without_length_is_parsed(length: int) -> None:
    audio = PcmAudio(24_000, b"\1\0" * 100)
    data = bytearray(audio.as_wav())
    data[40:44] = length.to_bytes(4, "little")
    assert read_wav(bytes(data)) == audio


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:30],
        lambda data: data[:-10],
        lambda data: b"OggS" + data[4:],
        lambda data: data[:22] + b"\2" + data[23:],  # two channels
        lambda data: data[:34] + b"\x08" + data[35:],  # 8 bits
        lambda data: data[:24] + bytes(4) + data[28:],  # no rate
    ],
)
def test_invalid_wav_is_rejected(damage: object) -> None:
    data = PcmAudio(24_000, b"\1\0" * 100).as_wav()
    with pytest.raises(MediaError):
        read_wav(damage(data))  # type: ignore[operator]  # a lambda
