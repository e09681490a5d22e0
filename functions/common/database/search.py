"""SQL of what a list of videos is narrowed by."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

# With the words of the index `video_sessions_by_text`. Every word is searched for by its beginning,
# in both Unicode forms, because a Mac may have written the other one.
_STORED = "s.original_prompt || ' ' || COALESCE(s.story_title, '')"
_MATCHES = f"""
    to_tsvector('simple', {_STORED})
    @@ regexp_replace(
        plainto_tsquery('simple', %({{name}})s)::text, '''( |$)', ''':*\\1', 'g')::tsquery
"""
_CONTAINS = f"position(lower(%({{name}})s) IN lower(normalize({_STORED}, NFKC))) > 0"

# Scripts that are written without spaces between words, or with marks that PostgreSQL takes for
# the end of a word: of South and Southeast Asia, of Korea, Japan and China.
_RUNS = re.compile(
    "[\u0900-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u312f\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty: everything. `text` is searched for in prompts and titles."""

    statuses: Sequence[str] = ()
    style: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    text: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def conditions(self) -> Iterator[str]:
        """Yield what holds of every row that is found, over `video_sessions s`."""
        if self.statuses:
            yield "s.status = ANY(%(statuses)s)"
        if self.style is not None:
            yield "s.style = %(style)s"
        if self.after is not None:
            yield "s.created_at >= %(created_after)s"
        if self.before is not None:
            yield "s.created_at < %(created_before)s"
        if self.text is not None:
            words, runs = _divided(self.text)
            if words or not runs:
                yield f"({_MATCHES.format(name='nfc')} OR {_MATCHES.format(name='nfd')})"
            for number in range(len(runs)):
                yield _CONTAINS.format(name=f"run_{number}")
        if self.metadata:
            yield "s.metadata @> %(metadata)s"

    def values(self) -> dict[str, Any]:
        """Return the values of the conditions."""
        return {
            "statuses": list(self.statuses),
            "style": self.style,
            "created_after": self.after,
            "created_before": self.before,
            **self._texts(),
            "metadata": Json(dict(self.metadata)),
        }

    def _texts(self) -> dict[str, str]:
        words, runs = _divided(self.text or "")
        return {
            "nfc": unicodedata.normalize("NFC", words),
            "nfd": unicodedata.normalize("NFD", words),
            **{f"run_{number}": run for number, run in enumerate(runs)},
        }


EVERYTHING = Search()


def _divided(text: str) -> tuple[str, list[str]]:
    """Divide what is searched for into words, and into texts of scripts without spaces."""
    words, runs = [], []
    for word in text.split():
        if _RUNS.search(word):
            word = unicodedata.normalize("NFKC", word)
            marked = "".join(" " if unicodedata.category(c)[0] in "PSC" else c for c in word)
            runs += marked.split()
        else:
            words.append(word)
    return " ".join(words), runs
