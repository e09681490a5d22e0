"""Language tags of narrations, and the voices of the offline provider for them."""

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
def test_language_tag_is_accepted_in_every_spelling(tag: str) -> None:
    assert NarrationSpec.model_validate({"language": tag}).language == tag.replace("_", "-")


@pytest.mark.parametrize("tag", ["xx", "qq-DE", "zz", "und", "zxx", "deutsch", "1a", ""])
def test_unknown_language_tag_is_rejected(tag: str) -> None:
    with pytest.raises(ValidationError):
        NarrationSpec.model_validate({"language": tag})


@pytest.mark.parametrize(
    ("tag", "code"),
    [("de-CH", "de"), ("cmn-Hans-CN", "zh"), ("ENG", "en"), ("iw", "he"), ("tlh", "tlh")],
)
def test_language_tag_maps_to_its_primary_code(tag: str, code: str) -> None:
    assert languages.language(tag) == code


def test_offline_voices_are_all_installed() -> None:
    """eSpeak NG looks up a voice by its file name."""
    data = Path(str(resources.files("espeakng_loader"))) / "espeak-ng-data"
    files = {path.name.casefold() for path in (data / "lang").rglob("*")}
    assert {*language._VOICES.values(), *language._REGIONS.values()} <= files


@pytest.mark.parametrize("voice", ["fr", "pt-br", "en", "cmn", "haw"])
def test_offline_voice_produces_speech(voice: str) -> None:
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
def test_offline_voice_matches_the_language_or_warns(
    text: str, tag: str | None, voice: str, warned: bool
) -> None:
    assert language.voice(text, tag, None) == f"{voice}+f2"
    assert bool(language.warnings(text, tag)) == warned
