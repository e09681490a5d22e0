"""Single calls of the OpenAI API with the vendor's SDK, without retries.

The SDK builds requests and parses errors. Response bodies are parsed here: the SDK's types are
filled without validation, and an HTML page with status 200 is returned as a string.
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

# 429 responses that no backoff resolves: the account needs credits or a higher limit.
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
# The statuses for which OpenAI documents these codes. With any other status, a code is no evidence.
_STATUSES_WITH_CODES = frozenset({400, 404, 422, 429})


class Client:
    """The OpenAI SDK, with the modules of `resources` (such as `responses`) loaded in advance.

    A provider creates its client before the attempt is written to the ledger. A crash between that
    write and the call leaves an attempt with an unknown outcome, and importing the SDK takes a
    second, so the import must not fall into that window. Without an API key nothing is loaded, and
    calls raise ProviderRefused.
    """

    def __init__(self, context: ProviderContext, *resources: str) -> None:
        self._sdk: OpenAI | None = None
        key = api_key_in(context.secrets, KEY)
        if key is None:
            return
        # Imported here so that only functions that call OpenAI load the SDK.
        import httpx2
        import openai

        self._sdk = openai.OpenAI(
            api_key=key,
            base_url=context.base_urls.get("openai", _BASE_URL),
            max_retries=0,
            # No keep-alive: a connection is closed after its call, since nothing closes the client.
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False, limits=httpx2.Limits(max_keepalive_connections=0)
            ),
        )
        for resource in resources:  # the SDK imports each resource on first access
            attrgetter(f"{resource}.with_raw_response")(self._sdk)

    def call(
        self, seconds: float, make: "Callable[[OpenAI], LegacyAPIResponse[Any]]"
    ) -> dict[str, Any]:
        """Make one call and return the JSON object of the response body.

        `seconds` is the read timeout. Raises NotAccepted, ProviderRefused or OutcomeUnknown.
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
        """Make one call and return the response body; raises the same errors as `call`."""
        if self._sdk is None:
            raise vendor_errors.refused(VENDOR, "provider.key", billed=False)
        import openai

        timeout = openai.Timeout(seconds, connect=_CONNECT_SECONDS)
        try:
            response = make(self._sdk.with_options(timeout=timeout))
            body: bytes = response.http_response.read()
        except openai.APIStatusError as error:
            raise _from_status(error) from None
        except openai.APIConnectionError as error:
            raise _from_connection_error(error) from None
        except (openai.OpenAIError, ValueError):
            raise vendor_errors.unknown(VENDOR) from None
        return body


def from_code(
    code: str | None, *, billed: bool | None, cost: Cost | None = None
) -> VideoError | None:
    """Return the error for an OpenAI error code, or None if the code adds nothing to the status."""
    if code in _OUT_OF_CREDITS:
        return vendor_errors.refused(VENDOR, "provider.credits", billed=billed, cost=cost)
    if code in _MODERATED:
        return vendor_errors.refused(VENDOR, "safety.input", billed=billed, cost=cost)
    if code in _NO_MODEL:
        return vendor_errors.refused(VENDOR, "provider.model", billed=billed, cost=cost)
    return None


def cost(model: Model, usage: Any) -> Cost | None:
    """Return the cost of the tokens in the response's `usage`, at the registry's prices.

    Returns None if the response has no usable `usage`. Input tokens count as text, except those
    that the details report as image tokens.
    """
    if not isinstance(usage, Mapping):
        return None
    input_tokens, output_tokens = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(input_tokens, int) or not isinstance(output_tokens, int):
        return None
    images = _detail(usage, "image_tokens")
    cached = _detail(usage, "cached_tokens")
    text_price = model.usd_per_million_input_tokens
    cached_price = model.usd_per_million_cached_input_tokens
    usd = (
        (input_tokens - images - cached) * text_price
        + images * model.usd_per_million_image_input_tokens
        + cached * (text_price if cached_price is None else cached_price)
        + output_tokens * model.usd_per_million_output_tokens
    ) / _MILLION
    return Cost(usd=usd, units=Decimal(input_tokens + output_tokens), unit="token")


def _detail(usage: Mapping[str, Any], name: str) -> int:
    details = usage.get("input_tokens_details")
    value = details.get(name) if isinstance(details, Mapping) else None
    return value if isinstance(value, int) else 0


def _from_status(error: "APIStatusError") -> VideoError:
    """Return the error for a response by its status.

    The error code refines a status that is certain; it never makes an uncertain one certain.
    """
    status, headers = error.status_code, error.response.headers
    vendor_errors.log_vendor_error(VENDOR, status, error.code or error.type, error.request_id)
    if status == 503 and not _is_from_openai(error.body):
        return vendor_errors.unknown(VENDOR)  # a proxy's page: OpenAI may have done the work
    by_status = vendor_errors.from_paid_status(VENDOR, status, headers, vendor_statuses.OPENAI)
    if status not in _STATUSES_WITH_CODES:
        return by_status
    if error.code == "moderation_blocked" and (stage := _moderation_stage(error.body)) != "input":
        # Only a call that was stopped at its input certainly did no work and was not charged.
        code = "safety.output" if stage == "output" else "safety.input"
        return vendor_errors.refused(VENDOR, code, billed=None)
    by_code = from_code(error.code, billed=False)
    if by_code is None and error.type == "insufficient_quota":
        by_code = from_code(error.type, billed=False)
    return by_code or by_status


def _is_from_openai(body: object) -> bool:
    """Return whether OpenAI itself responded: the SDK passes its error object, or a page's text."""
    return isinstance(body, Mapping) and isinstance(body.get("message"), str)


def _moderation_stage(body: object) -> str | None:
    details = body.get("moderation_details") if isinstance(body, Mapping) else None
    return details.get("moderation_stage") if isinstance(details, Mapping) else None


def _from_connection_error(error: "APIConnectionError") -> VideoError:
    """Return NotAccepted if no byte of the request was sent, by the cause, else OutcomeUnknown."""
    import httpx2

    not_sent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    if isinstance(error.__cause__, not_sent):
        return vendor_errors.not_accepted(VENDOR)
    return vendor_errors.unknown(VENDOR)
