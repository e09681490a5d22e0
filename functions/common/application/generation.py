"""The use case of the functions `story`, `image`, `speech` and `clip`: one paid call of a run."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Generic, TypeVar

from common import runtime
from common.application.billing.charge import Charge
from common.application.billing.paid_calls import CallResult, PaidCalls
from common.application.pipeline_step import RunEvent
from common.aws import clients, secrets
from common.database import Cursor
from common.database.attempts import Attempt, Step
from common.database.videos import Video
from common.domain import provider_limits
from common.domain.models import Model
from common.providers import ProviderContext, Reconciliation
from common.runtime import Services
from common.settings import GenerationSettings
from common.storage import MediaFolder

E = TypeVar("E", bound=RunEvent)


def services() -> Services[GenerationSettings]:
    """Return the services of the function."""
    return runtime.services(GenerationSettings)


@runtime.warm
def paid_calls() -> PaidCalls:
    """Return the never-pay-twice protocol over the function's services."""
    clients.s3()  # created now, because creating it between a paid call and its receipt takes time
    return PaidCalls(services().database, services().store)


def provider_context() -> ProviderContext:
    """Return the context of providers; keys are read again every few minutes, to allow rotation."""
    settings = services().settings
    addresses = {"openai": settings.openai_base_url, "runway": settings.runway_base_url}
    return ProviderContext(
        store=services().store,
        secrets=secrets.read(settings.providers_secret_arn),
        base_urls={name: url for name, url in addresses.items() if url},
    )


def media_folder(video: Video) -> MediaFolder:
    """Return the folder of the video's media."""
    return MediaFolder(video.user_id, video.session_id)


@dataclass(frozen=True)
class GenerationStep(ABC, Generic[E]):
    """One paid call of a run and the handling of its result.

    After `lease_seconds` the state machine has certainly given up on the function.
    """

    event: E
    video: Video

    lease_seconds: ClassVar[int]

    @property
    @abstractmethod
    def step(self) -> Step:
        """The ledger key of the call."""

    @property
    @abstractmethod
    def model(self) -> Model:
        """The model that is called."""

    @property
    @abstractmethod
    def usd(self) -> Decimal:
        """The estimated cost in US dollars."""

    @property
    def images(self) -> int:
        """The number of images that the call sends, as the provider counts them."""
        return 0

    @property
    @abstractmethod
    def provider(self) -> object:
        """The provider that is called."""

    @property
    @abstractmethod
    def request(self) -> object:
        """The provider's request, without the attempt's token."""

    @abstractmethod
    def perform(self, token: str) -> CallResult:
        """Call the provider, store the media, and return a JSON description of them.

        `token` identifies the attempt, for providers with idempotent requests.
        """

    @abstractmethod
    def record(self, cursor: Cursor, attempt: Attempt, result: CallResult) -> None:
        """Write the result to the database; must be idempotent."""

    def execute(self) -> None:
        """Make the paid call, or record the result of an earlier one."""
        self._prepare()
        paid_calls().execute(self._charge(), self.perform, self.record)

    def _prepare(self) -> None:
        """Build provider and request before the attempt exists, because that may fail or be slow.

        It imports modules, reads media and converts images.
        """
        _ = self.provider, self.request

    def _charge(self) -> Charge:
        return Charge(
            run_id=self.event.run_id,
            step=self.step,
            folder=media_folder(self.video),
            model=self.model,
            estimated_usd=self.usd,
            lease_seconds=self.lease_seconds,
            may_resubmit=self.video.on_unknown == "resubmit_once",
            max_cost_usd=self.video.max_cost_usd,
            limits=provider_limits.limits_of(self.model, services().settings.provider_limits),
            pictures=self.images,
        )


class JobStep(GenerationStep[E]):
    """A paid call that starts a job, whose state can be queried at the provider."""

    @abstractmethod
    def reconcile(self, attempt: Attempt) -> Reconciliation:
        """Ask the provider what became of an attempt whose response was lost."""

    def execute(self) -> None:
        """Start the job, or record one that an earlier attempt started."""
        self._prepare()
        paid_calls().execute(self._charge(), self.perform, self.record, self.reconcile)
