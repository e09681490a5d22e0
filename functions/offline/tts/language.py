"""Which of eSpeak NG's voices reads a text: by the language that is named, else by its letters."""

import unicodedata
from collections import Counter

from common.domain import languages
from common.domain.errors import InvalidInput

# eSpeak NG's voices by language, named as their files are; those of regions are in `_REGIONS`.
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
# Letters that the language of a script has, and its neighbours have not.
_LETTERS = {"uk": "іїєґ", "be": "ў", "sr": "ђћџ", "fa": "پچژگ", "ur": "ٹڈڑے"}
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
    return f"{_named(language) or _VOICES.get(_language(text), 'en-us')}{variant}"


def warnings(text: str, language: str | None) -> tuple[str, ...]:
    """Return what the owner of the video is told, if no voice has the language."""
    if language is not None and _named(language) is None:
        told = f"The offline voice does not speak {language}. Its rules were chosen by the text."
        return (told,)
    if language is None and _script(text) not in _LANGUAGES:
        script = _script(text).title()
        return (f"The offline voice does not speak the language of the text ({script} script).",)
    return ()


def _named(language: str | None) -> str | None:
    """Return the voice of a language tag, that of its region if there is one."""
    if language is None:
        return None
    tag = language.replace("_", "-").casefold()
    return _REGIONS.get(tag) or _VOICES.get(languages.language(tag))


def _language(text: str) -> str:
    script = _script(text)
    if script in ("CYRILLIC", "ARABIC"):
        shown = set(text.casefold())
        return next(
            (
                code
                for code, letters in _LETTERS.items()
                if shown & set(letters) and _script(letters) == script
            ),
            _LANGUAGES[script],
        )
    if script != "LATIN":
        return _LANGUAGES.get(script, "en")
    words = text.casefold().split()
    counted = {
        code: sum(word.strip(".,!?") in few for word in words) for code, few in _WORDS.items()
    }
    best = max(counted, key=lambda code: counted[code])
    return best if counted[best] > counted["en"] else "en"


def _script(text: str) -> str:
    """Return the script of most letters, by the first word of their names in Unicode."""
    scripts = Counter(
        unicodedata.name(character, "").split()[0].split("-")[0]
        for character in text
        if character.isalpha()
    )
    if scripts["HIRAGANA"] or scripts["KATAKANA"]:
        return "HIRAGANA"  # Chinese has none of these, Japanese is full of Chinese signs
    return scripts.most_common(1)[0][0] if scripts else "LATIN"
