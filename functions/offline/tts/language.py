"""Selection of an eSpeak NG voice by the requested language, or else by the text."""

import unicodedata
from collections import Counter

from common.domain import languages
from common.domain.errors import InvalidInput

# eSpeak NG's voices that are named after their language; regional voices are in `_REGIONS`.
_NAMES = (
    "af am ar as az ba be bg bn bs ca cs cy da de el eo es et eu fa fi fr ga gd gn gu hak "
    "haw he hi hr ht hu hy ia id io is it ja ka kk kl kn ko kok ku ky la lb lt lv mi mk ml mr ms "
    "mt my nb ne nl nog om or pa pap pl pt qu ro ru sd shn si sk sl sq sr sv sw ta te th tk tn tr "
    "tt ug uk ur uz vi yue"
)
_VOICES = {name: name for name in _NAMES.split()} | {
    "en": "en-us",
    "no": "nb",
    "nn": "nb",
    "zh": "cmn",
}
_REGIONS = {
    "en-gb": "en",
    "pt-br": "pt-br",
    "es-419": "es-419",
    "es-mx": "es-419",
    "fr-be": "fr-be",
    "fr-ch": "fr-ch",
    "zh-hk": "yue",
    "zh-hant-hk": "yue",
}
_LANGUAGES = {
    "LATIN": "en",
    "GREEK": "el",
    "CYRILLIC": "ru",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "ARABIC": "ar",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "ORIYA": "or",
    "ETHIOPIC": "am",
    "MYANMAR": "my",
}
# Letters that distinguish a language from others with the same script.
_LETTERS = {"uk": "іїєґ", "be": "ў", "sr": "ђћџ", "fa": "پچژگ", "ur": "ٹڈڑے"}
# Frequent words that distinguish a language from others with the Latin script.
_WORDS = {
    "de": {"der", "die", "das", "und", "ein", "eine", "ist", "über", "mit", "nicht"},
    "es": {"el", "los", "las", "una", "y", "con", "por", "del", "está"},
    "fr": {"le", "les", "une", "et", "des", "dans", "sur", "est", "du"},
    "it": {"il", "gli", "una", "e", "della", "nel", "che", "di", "sono"},
    "nl": {"het", "een", "en", "van", "niet", "op", "zijn"},
    "pl": {"i", "się", "nie", "na", "jest", "przez"},
    "pt": {"o", "os", "uma", "e", "da", "do", "não", "em"},
    "en": {"the", "and", "of", "is", "in", "with", "a", "to"},
}
_VARIANTS = {"female": "+f2", "male": "+m3"}


def voice(text: str, language: str | None, requested: str | None) -> str:
    """Return the voice's name, such as `en-us+f2`; raises InvalidInput for an unknown variant."""
    variant = _VARIANTS.get(requested or "female")
    if variant is None:
        raise InvalidInput(
            f"The offline provider has no voice '{requested}'.", field="voice", allowed=[*_VARIANTS]
        )
    return f"{_requested_voice(language) or _VOICES.get(_language(text), 'en-us')}{variant}"


def warnings(text: str, language: str | None) -> tuple[str, ...]:
    """Return a warning for the video's owner if no voice speaks the language."""
    if language is not None and _requested_voice(language) is None:
        return (f"The offline voice does not speak {language}. A voice was chosen by the text.",)
    if language is None and _script(text) not in _LANGUAGES:
        script = _script(text).title()
        return (f"The offline voice does not speak the language of the text ({script} script).",)
    return ()


def _requested_voice(language: str | None) -> str | None:
    """Return the voice for a language tag, preferably for its region."""
    if language is None:
        return None
    tag = language.replace("_", "-").casefold()
    return _REGIONS.get(tag) or _VOICES.get(languages.language(tag))


def _language(text: str) -> str:
    script = _script(text)
    if script in ("CYRILLIC", "ARABIC"):
        characters = set(text.casefold())
        return next(
            (
                code
                for code, letters in _LETTERS.items()
                if characters & set(letters) and _script(letters) == script
            ),
            _LANGUAGES[script],
        )
    if script != "LATIN":
        return _LANGUAGES.get(script, "en")
    words = text.casefold().split()
    counts = {
        code: sum(word.strip(".,!?") in frequent for word in words)
        for code, frequent in _WORDS.items()
    }
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] > counts["en"] else "en"


def _script(text: str) -> str:
    """Return the most frequent script, from the first word of the letters' Unicode names."""
    scripts = Counter(
        unicodedata.name(character, "").split()[0].split("-")[0]
        for character in text
        if character.isalpha()
    )
    if scripts["HIRAGANA"] or scripts["KATAKANA"]:
        return "HIRAGANA"  # Japanese mixes kana with Chinese characters; Chinese has no kana
    return scripts.most_common(1)[0][0] if scripts else "LATIN"
