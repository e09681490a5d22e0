"""What a provider lets all runs together do: so many calls or pictures a minute, so many jobs.

The numbers are in `models.toml`, and are those of the smallest account. A stage changes them by
`provider_limits`: `openai.images_per_minute=50, runway/gen4.5.jobs_at_once=3`; 0 is no limit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from common.domain import models
from common.domain.models import Model

Counts = Literal["calls_per_minute", "images_per_minute", "jobs_at_once"]

# A call counts for the minute of its arrival, which we do not see: a picture takes seconds to get
# there, and a call that is counted out too early is refused.
MINUTE_SECONDS = 65


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many of what `counts` says; a call that sends no picture counts as one."""

    counts: Counts
    most: int

    @property
    def of_jobs(self) -> bool:
        """Say whether jobs are limited that run at the same time, not calls in a minute."""
        return self.counts == "jobs_at_once"


@dataclass(frozen=True, slots=True)
class SlotUsage:
    """Places that a call or job holds, and in how many seconds it is expected to free them."""

    size: int
    seconds: float


def limits_of(model: Model, changes: str) -> tuple[Limit, ...]:
    """Return the limits of a model, with the changes of the stage."""
    changed = read(changes)
    limits = []
    for counts in _names():
        most = changed.get(f"{model.provider}/{model.model}.{counts}")
        if most is None:
            most = changed.get(f"{model.provider}.{counts}", getattr(model, counts))
        if most:
            limits.append(Limit(counts, most))
    return tuple(limits)


@cache
def read(changes: str) -> Mapping[str, int]:
    """Return the changes by name; raises ValueError for one that changes nothing."""
    found = {}
    for part in filter(None, (part.strip() for part in changes.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        target, _, counts = name.rpartition(".")
        if counts not in _names() or target not in _targets() or not number.isdecimal():
            raise ValueError(
                f"{part!r} is no limit; write PROVIDER.COUNT=NUMBER or PROVIDER/MODEL.COUNT=NUMBER "
                f"with one of {', '.join(_names())}. The models are in models.toml."
            )
        found[name] = int(number)
    return found


def seconds_until_free(held: Iterable[SlotUsage], most: int, asked: int, turn: float) -> float:
    """Return in how many seconds `asked` places are expected to be free; 0 if they are now.

    `turn` is how long a place is held, for those who are beyond what is held now.
    """
    places: Sequence[SlotUsage] = sorted(held, key=lambda place: place.seconds)
    over = sum(place.size for place in places) + asked - most
    if over <= 0:
        return 0
    for place in places:
        over -= place.size
        if over <= 0:
            return max(place.seconds, 1)
    last = places[-1].seconds if places else 0
    return last + turn * math.ceil(over / most)


def _names() -> tuple[Counts, ...]:
    return get_args(Counts)


@cache
def _targets() -> frozenset[str]:
    known = models.models()
    return frozenset({m.provider for m in known} | {f"{m.provider}/{m.model}" for m in known})
