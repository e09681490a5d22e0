"""Languages of narrations: which tags name one, and what the offline voice makes of them."""

from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

from common.domain import languages
from common.schemas.output import NarrationSpec
from offline.tts import language, program


@pytest.mark.parametrize(
    "tag",
    ["de", "EN", "pt_BR", "zh-Hans", "zh-Hant-HK", "cmn", "es-419", "tlh", "sr-Latn-RS", "iw"],
)
def test_tags_of_languages_are_taken_in_every_spelling(tag: str) -> None:
    assert NarrationSpec.model_validate({"language": tag}).language == tag.replace("_", "-")


@pytest.mark.parametrize("tag", ["xx", "qq-DE", "zz", "und", "zxx", "deutsch", "1a", ""])
def test_what_names_no_language_is_refused(tag: str) -> None:
    with pytest.raises(ValidationError):
        NarrationSpec.model_validate({"language": tag})


@pytest.mark.parametrize(
    ("tag", "code"),
    [("de-CH", "de"), ("cmn-Hans-CN", "zh"), ("ENG", "en"), ("iw", "he"), ("tlh", "tlh")],
)
def test_a_language_has_one_code(tag: str, code: str) -> None:
    assert languages.language(tag) == code


def test_every_voice_is_installed() -> None:
    """eSpeak NG finds a voice by the name of its file."""
    data = Path(str(resources.files("espeakng_loader"))) / "espeak-ng-data"
    files = {path.name.casefold() for path in (data / "lang").rglob("*")}
    assert {*language._VOICES.values(), *language._REGIONS.values()} <= files


@pytest.mark.parametrize("voice", ["fr", "pt-br", "en", "cmn", "haw"])
def test_voices_speak(voice: str) -> None:
    assert program.speak("1", f"{voice}+f2", 320).seconds > 0.1


@pytest.mark.parametrize(
    ("text", "tag", "voice", "warned"),
    [
        ("Le petit bateau est dans la ville.", None, "fr", False),
        ("The boat", "fr-CA", "fr", False),
        ("The boat", "pt-BR", "pt-br", False),
        ("船", "zh_Hans", "cmn", False),
        ("船", "zh-HK", "yue", False),
        ("Привіт, їжак", None, "uk", False),
        ("Привет, ёж", None, "ru", False),
        ("سلام، چطور", None, "fa", False),
        ("ਸਤ ਸ੍ਰੀ ਅਕਾਲ", None, "pa", False),
        ("qapla'", "tlh", "en-us", True),
        ("Привет", "tlh", "ru", True),
        ("ស្វាស្តី", None, "en-us", True),
        ("ស្វាស្តី", "km", "en-us", True),
    ],
)
def test_the_offline_voice_speaks_the_language_or_says_that_it_does_not(
    text: str, tag: str | None, voice: str, warned: bool
) -> None:
    assert language.voice(text, tag, None) == f"{voice}+f2"
    assert bool(language.warnings(text, tag)) == warned
