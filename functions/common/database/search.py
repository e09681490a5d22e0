"""SQL conditions for searching and filtering lists of videos."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

# The expression must match that of the index `video_sessions_by_text`. Each word is a prefix search
# in both normalization forms, NFC and NFD, because macOS may have stored the decomposed form.
_STORED = "s.original_prompt || ' ' || COALESCE(s.story_title, '')"
_MATCHES = f"""
    to_tsvector('simple', {_STORED})
    @@ regexp_replace(
        plainto_tsquery('simple', %({{name}})s)::text, '''( |$)', ''':*\\1', 'g')::tsquery
"""
_CONTAINS = f"position(lower(%({{name}})s) IN lower(normalize({_STORED}, NFKC))) > 0"

# Scripts without spaces between words, or with combining marks that PostgreSQL's parser takes for
# word boundaries: of South and Southeast Asia, of Korea, Japan and China.
_UNSPACED_SCRIPTS = re.compile(
    "[\u0900-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u312f\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Search:
    """Filters of a list of videos; empty filters match everything.

    `text` is searched for in prompts and titles. `after` is inclusive, `before` is exclusive.
    """

    statuses: Sequence[str] = ()
    style: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    text: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def conditions(self) -> Iterator[str]:
        """Yield the SQL conditions over `video_sessions s`, which are combined with AND."""
        if self.statuses:
            yield "s.status = ANY(%(statuses)s)"
        if self.style is not None:
            yield "s.style = %(style)s"
        if self.after is not None:
            yield "s.created_at >= %(created_after)s"
        if self.before is not None:
            yield "s.created_at < %(created_before)s"
        if self.text is not None:
            words, phrases = _split_by_script(self.text)
            if words or not phrases:
                yield f"({_MATCHES.format(name='nfc')} OR {_MATCHES.format(name='nfd')})"
            for number in range(len(phrases)):
                yield _CONTAINS.format(name=f"run_{number}")
        if self.metadata:
            yield "s.metadata @> %(metadata)s"

    def values(self) -> dict[str, Any]:
        """Return the parameters of the conditions."""
        return {
            "statuses": list(self.statuses),
            "style": self.style,
            "created_after": self.after,
            "created_before": self.before,
            **self._texts(),
            "metadata": Json(dict(self.metadata)),
        }

    def _texts(self) -> dict[str, str]:
        words, phrases = _split_by_script(self.text or "")
        return {
            "nfc": unicodedata.normalize("NFC", words),
            "nfd": unicodedata.normalize("NFD", words),
            **{f"run_{number}": phrase for number, phrase in enumerate(phrases)},
        }


EVERYTHING = Search()


def _split_by_script(text: str) -> tuple[str, list[str]]:
    """Split a query into words for full-text search, and phrases in scripts without spaces."""
    words, phrases = [], []
    for word in text.split():
        if _UNSPACED_SCRIPTS.search(word):
            word = unicodedata.normalize("NFKC", word)
            spaced = "".join(" " if unicodedata.category(c)[0] in "PSC" else c for c in word)
            phrases += spaced.split()
        else:
            words.append(word)
    return " ".join(words), phrases
