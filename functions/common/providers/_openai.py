"""One call to OpenAI with its own SDK, retries off, and what the answer means.

The SDK builds requests and reads errors. Answers are read by us, from their bytes: its types are
filled without a check, and an HTML page with status 200 comes back as a string.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from common.domain.errors import VideoError
from common.domain.models import Model, api_key_in
from common.domain.video import Cost
from common.providers import ProviderContext, vendor_errors, vendor_statuses

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, OpenAI
    from openai._legacy_response import LegacyAPIResponse

VENDOR = "OpenAI"
KEY = "OPENAI_API_KEY"

_BASE_URL = "https://api.openai.com/v1"
_CONNECT_SECONDS = 5
_MILLION = Decimal(1_000_000)

# Rate limits (429) that no waiting lifts: a person has to pay, or to raise a limit.
_OUT_OF_CREDITS = frozenset(
    {
        "credit_balance_exhausted",
        "insufficient_quota",
        "billing_hard_limit_reached",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)
_MODERATED = frozenset(
    {
        "moderation_blocked",
        "content_policy_violation",
        "image_content_policy_violation",
        "invalid_prompt",
    }
)
_NO_MODEL = frozenset({"model_not_found", "unsupported_model"})
# The statuses with which OpenAI documents those codes.
_CODES_COUNT = frozenset({400, 404, 422, 429})


class Client:
    """OpenAI's SDK with everything loaded that a call of `resource` needs, such as `responses`.

    A provider makes it when it is created, which is before its call is written to the ledger: a
    crash between the two leaves a call in doubt that was never made, and importing the SDK takes
    a second. Without a key nothing is loaded, and calls raise ProviderRefused.
    """

    def __init__(self, context: ProviderContext, *resources: str) -> None:
        self._sdk: OpenAI | None = None
        key = api_key_in(context.secrets, KEY)
        if key is None:
            return
        # Imported here: for the functions that call OpenAI, and only when they do.
        import httpx2
        import openai

        self._sdk = openai.OpenAI(
            api_key=key,
            base_url=context.base_urls.get("openai", _BASE_URL),
            max_retries=0,
            # A connection is closed after its call: nobody else would.
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False, limits=httpx2.Limits(max_keepalive_connections=0)
            ),
        )
        for resource in resources:  # the SDK loads each one when it is first looked up
            attrgetter(f"{resource}.with_raw_response")(self._sdk)

    def call(
        self, seconds: float, make: "Callable[[OpenAI], LegacyAPIResponse[Any]]"
    ) -> dict[str, Any]:
        """Make one call and return the JSON object that it answered with, id and all.

        `seconds` is how long the answer may keep us waiting. Raises NotAccepted, ProviderRefused
        or OutcomeUnknown.
        """
        try:
            body = json.loads(self.call_for_bytes(seconds, make))
        except ValueError:
            raise vendor_errors.unknown(VENDOR) from None
        if not isinstance(body, dict):
            raise vendor_errors.unknown(VENDOR)
        return body

    def call_for_bytes(
        self, seconds: float, make: "Callable[[OpenAI], LegacyAPIResponse[Any]]"
    ) -> bytes:
        """Make one call and return the body that it answered with; as above."""
        if self._sdk is None:
            raise vendor_errors.refused(VENDOR, "provider.key", billed=False)
        import openai

        timeout = openai.Timeout(seconds, connect=_CONNECT_SECONDS)
        try:
            answer = make(self._sdk.with_options(timeout=timeout))
            body: bytes = answer.http_response.read()
        except openai.APIStatusError as error:
            raise _of_status(error) from None
        except openai.APIConnectionError as error:
            raise _of_connection(error) from None
        except (openai.OpenAIError, ValueError):
            raise vendor_errors.unknown(VENDOR) from None
        return body


def of_code(
    code: str | None, *, billed: bool | None, cost: Cost | None = None
) -> VideoError | None:
    """Return what one of OpenAI's error codes means, if it says more than a status does."""
    if code in _OUT_OF_CREDITS:
        return vendor_errors.refused(VENDOR, "provider.credits", billed=billed, cost=cost)
    if code in _MODERATED:
        return vendor_errors.refused(VENDOR, "safety.input", billed=billed, cost=cost)
    if code in _NO_MODEL:
        return vendor_errors.refused(VENDOR, "provider.model", billed=billed, cost=cost)
    return None


def cost(model: Model, usage: Any) -> Cost | None:
    """Return what the tokens of the answer's `usage` cost by the registry's prices.

    None when the answer does not tell. Input is text, unless the details count pictures.
    """
    if not isinstance(usage, Mapping):
        return None
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    pictures = _detail(usage, "image_tokens")
    cached = _detail(usage, "cached_tokens")
    text_price = model.usd_per_million_input_tokens
    cached_price = model.usd_per_million_cached_input_tokens
    usd = (
        (read - pictures - cached) * text_price
        + pictures * model.usd_per_million_image_input_tokens
        + cached * (text_price if cached_price is None else cached_price)
        + written * model.usd_per_million_output_tokens
    ) / _MILLION
    return Cost(usd=usd, units=Decimal(read + written), unit="token")


def _detail(usage: Mapping[str, Any], name: str) -> int:
    details = usage.get("input_tokens_details")
    value = details.get(name) if isinstance(details, Mapping) else None
    return value if isinstance(value, int) else 0


def _of_status(error: "APIStatusError") -> VideoError:
    """Return what a status means; only where it proves something does the code say more."""
    status, headers = error.status_code, error.response.headers
    vendor_errors.log_vendor_error(VENDOR, status, error.code or error.type, error.request_id)
    if status == 503 and not _is_own(error.body):
        return vendor_errors.unknown(VENDOR)  # a proxy's page: the service may have done the work
    by_status = vendor_errors.from_paid_status(VENDOR, status, headers, vendor_statuses.OPENAI)
    if status not in _CODES_COUNT:
        return by_status
    if error.code == "moderation_blocked" and (stage := _stage(error.body)) != "input":
        # Only what was stopped at its input was certainly not made, and so not charged.
        own = "safety.output" if stage == "output" else "safety.input"
        return vendor_errors.refused(VENDOR, own, billed=None)
    known = of_code(error.code, billed=False)
    if known is None and error.type == "insufficient_quota":
        known = of_code(error.type, billed=False)
    return known or by_status


def _is_own(body: object) -> bool:
    """Say whether OpenAI itself answered; the SDK gives its error object, or a page's text."""
    return isinstance(body, Mapping) and isinstance(body.get("message"), str)


def _stage(body: object) -> str | None:
    details = body.get("moderation_details") if isinstance(body, Mapping) else None
    return details.get("moderation_stage") if isinstance(details, Mapping) else None


def _of_connection(error: "APIConnectionError") -> VideoError:
    """Tell a request that never left from one that got no answer, by what the SDK stumbled over."""
    import httpx2

    never_left = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    if isinstance(error.__cause__, never_left):
        return vendor_errors.not_accepted(VENDOR)
    return vendor_errors.unknown(VENDOR)
