"""What a paid call may cost, and the limits it runs under."""

from dataclasses import dataclass
from decimal import Decimal

from common.database.attempts import Step
from common.domain.models import Model
from common.domain.provider_limits import Limit
from common.storage import MediaFolder


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be paid for.

    `lease_seconds`: after these the worker that made an attempt is certainly dead.
    `may_resubmit`: the policy `resubmit_once` of the video's owner, `max_cost_usd` their limit for
    the whole video. `limits` are those that all runs share, `pictures` how many the call sends as
    the provider counts them.
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
