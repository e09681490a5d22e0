"""The terms of a paid call: model, estimated cost and limits."""

from dataclasses import dataclass
from decimal import Decimal

from common.database.attempts import Step
from common.domain.models import Model
from common.domain.provider_limits import Limit
from common.storage import MediaFolder


@dataclass(frozen=True, slots=True)
class Charge:
    """A paid call for one step of a run.

    `lease_seconds` is the time after which the worker that made the attempt is certainly gone.
    `may_resubmit` is true if the video's owner chose the policy `resubmit_once`, `max_cost_usd` is
    the owner's limit for the whole video. `limits` are the provider's limits, which all runs share.
    `pictures` is the number of images that the call sends, as the provider counts them.
    """

    run_id: str
    step: Step
    folder: MediaFolder
    model: Model
    estimated_usd: Decimal
    lease_seconds: int
    may_resubmit: bool
    max_cost_usd: Decimal | None = None
    limits: tuple[Limit, ...] = ()
    pictures: int = 0
