"""Rate limits of providers, shared by all runs: calls or input images per minute, parallel jobs.

The numbers in `models.toml` are those of a provider's smallest account. A stage changes them with
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

# A provider counts a call from its arrival, which is some seconds after it was sent, because images
# take time to upload. A call that is sent too early is refused, so 5 s are added.
MINUTE_SECONDS = 65


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of at most `most` of the unit `counts`.

    For `images_per_minute`, a call without an input image counts as one image.
    """

    counts: Counts
    most: int

    @property
    def of_jobs(self) -> bool:
        """Return whether the limit is for parallel jobs, not for calls per minute."""
        return self.counts == "jobs_at_once"


@dataclass(frozen=True, slots=True)
class SlotUsage:
    """The slots that a call or job holds, and the seconds until it is expected to free them."""

    size: int
    seconds: float


def limits_of(model: Model, changes: str) -> tuple[Limit, ...]:
    """Return the limits of a model, with the changes of the stage."""
    overrides = read(changes)
    limits = []
    for counts in _names():
        most = overrides.get(f"{model.provider}/{model.model}.{counts}")
        if most is None:
            most = overrides.get(f"{model.provider}.{counts}", getattr(model, counts))
        if most:
            limits.append(Limit(counts, most))
    return tuple(limits)


@cache
def read(changes: str) -> Mapping[str, int]:
    """Parse a stage's changes; raises ValueError for an unknown name or an invalid number."""
    overrides = {}
    for part in filter(None, (part.strip() for part in changes.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        target, _, counts = name.rpartition(".")
        if counts not in _names() or target not in _targets() or not number.isdecimal():
            raise ValueError(
                f"{part!r} is not a limit; write PROVIDER.COUNT=NUMBER or "
                f"PROVIDER/MODEL.COUNT=NUMBER with one of {', '.join(_names())}. "
                "The models are in models.toml."
            )
        overrides[name] = int(number)
    return overrides


def seconds_until_free(
    active: Iterable[SlotUsage], most: int, requested: int, turn: float
) -> float:
    """Return the seconds until `requested` slots are expected to be free; 0 if they are now.

    `turn` is the expected time, in seconds, that a queued call holds its slot. It matters if more
    slots are requested than the active ones free.
    """
    slots: Sequence[SlotUsage] = sorted(active, key=lambda slot: slot.seconds)
    excess = sum(slot.size for slot in slots) + requested - most
    if excess <= 0:
        return 0
    for slot in slots:
        excess -= slot.size
        if excess <= 0:
            return max(slot.seconds, 1)
    last = slots[-1].seconds if slots else 0
    return last + turn * math.ceil(excess / most)


def _names() -> tuple[Counts, ...]:
    return get_args(Counts)


@cache
def _targets() -> frozenset[str]:
    known = models.models()
    return frozenset({m.provider for m in known} | {f"{m.provider}/{m.model}" for m in known})
