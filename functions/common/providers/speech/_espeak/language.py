"""Which of eSpeak NG's voices reads a text: by the language that is named, else by its letters."""

import unicodedata
from collections import Counter

from common.errors import InvalidInput

# eSpeak NG's voices by BCP 47 language. What is not here is read by English rules.
_VOICES = {
    **{code: code for code in (
        "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "eo", "es", "et", "eu", "fa", "fi",
        "ga", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "kn", "ko",
        "la", "lt", "lv", "mk", "ml", "mr", "ms", "nb", "ne", "nl", "pa", "pl", "pt", "ro", "ru",
        "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur", "uz", "vi",
    )},
    "en": "en-us", "fr": "fr-fr", "no": "nb", "zh": "cmn", "yue": "yue",
}  # fmt: skip
_LANGUAGES = {
    "GREEK": "el", "CYRILLIC": "ru", "CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja",
    "HANGUL": "ko", "ARABIC": "ar", "HEBREW": "he", "DEVANAGARI": "hi", "BENGALI": "bn",
    "TAMIL": "ta", "TELUGU": "te", "THAI": "th", "GEORGIAN": "ka", "ARMENIAN": "hy",
}  # fmt: skip
# Small words that the language is full of, and its neighbours are not.
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


def voice(text: str, language: str | None, wished: str | None) -> str:
    """Return the name of the voice, such as `en-us+f2`; raises InvalidInput."""
    variant = _VARIANTS.get(wished or "female")
    if variant is None:
        raise InvalidInput(
            f"The offline provider has no voice '{wished}'.", field="voice", allowed=[*_VARIANTS]
        )
    named = (language or "").replace("_", "-").casefold().split("-")[0]
    return f"{_VOICES.get(named or _language(text), 'en-us')}{variant}"


def _language(text: str) -> str:
    scripts = Counter(
        unicodedata.name(character, "").split()[0].split("-")[0]
        for character in text
        if character.isalpha()
    )
    if scripts["HIRAGANA"] or scripts["KATAKANA"]:
        return "ja"  # Chinese has none of these, Japanese is full of Chinese signs
    script = scripts.most_common(1)[0][0] if scripts else "LATIN"
    if script in _LANGUAGES:
        return _LANGUAGES[script]
    words = text.casefold().split()
    counted = {
        code: sum(word.strip(".,!?") in few for word in words) for code, few in _WORDS.items()
    }
    best = max(counted, key=lambda code: counted[code])
    return best if counted[best] > counted["en"] else "en"
