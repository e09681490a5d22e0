"""SQL of what a list of videos is narrowed by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

# With the words of the index `video_sessions_by_text`. Every word is searched for by its beginning.
_TEXT = """
    to_tsvector('simple', s.original_prompt || ' ' || COALESCE(s.story_title, ''))
    @@ regexp_replace(plainto_tsquery('simple', %(text)s)::text, '''( |$)', ''':*\\1', 'g')::tsquery
"""


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
            yield _TEXT
        if self.metadata:
            yield "s.metadata @> %(metadata)s"

    def values(self) -> dict[str, Any]:
        """Return the values of the conditions."""
        return {
            "statuses": list(self.statuses),
            "style": self.style,
            "created_after": self.after,
            "created_before": self.before,
            "text": self.text,
            "metadata": Json(dict(self.metadata)),
        }


EVERYTHING = Search()
