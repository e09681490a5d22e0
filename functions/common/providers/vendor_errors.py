"""Mapping of vendor responses and failures to the errors of this project.

Error codes and messages are our own: no vendor message, prompt, link or API key goes into an error.
The vendor's error code and request id are logged, because its support asks for them. Its messages
are not logged, because they can repeat the prompt; the vendor can find them by the request id.

The class of the error of a paid call depends on what is certain:

NotAccepted       certainly not accepted; the same call may be sent again
ProviderRefused   a definite refusal
OutcomeUnknown    everything else; the call is never repeated automatically

`vendor_statuses` defines per vendor which statuses are certain.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from common.aws.log import logger
from common.domain.errors import (
    MediaError,
    NotAccepted,
    OutcomeUnknown,
    ProviderRefused,
    TransientError,
    VideoError,
)
from common.domain.models import api_key_in
from common.domain.video import Cost
from common.providers import JobFailure, ProviderContext, Retry
from common.providers.vendor_statuses import PaidStatuses

_NOT_CHARGED = "Nothing was charged."
_LOGGABLE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_MAX_RETRY_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """The message for an error code, and its retry advice."""

    detail: str
    retry: Retry = Retry.NO

    @property
    def helps_unchanged(self) -> bool:
        """True if an unchanged retry, at once or later, can succeed."""
        return self.retry in (Retry.SAME, Retry.LATER)


MEANINGS: Mapping[str, ErrorMeaning] = {
    "safety.input": ErrorMeaning("{vendor} declined the prompt or the image for safety reasons."),
    "safety.output": ErrorMeaning(
        "{vendor} withheld its result for safety reasons. The same prompt may be declined again.",
        Retry.CHANGED_INPUT,
    ),
    "provider.credits": ErrorMeaning(
        "The account at {vendor} has no credits left or has reached its spend limit.", Retry.LATER
    ),
    "provider.quota": ErrorMeaning(
        "The quota of the account at {vendor} is used up until it is renewed.", Retry.LATER
    ),
    "provider.key": ErrorMeaning(
        "{vendor} rejected the API key, or no key is configured.", Retry.LATER
    ),
    "provider.forbidden": ErrorMeaning(
        "The account at {vendor} is not allowed to do this: the organization is not verified for "
        "the model, the region is not supported, or a permission is missing.",
        Retry.LATER,
    ),
    "provider.model": ErrorMeaning("{vendor} does not offer the model, or no longer offers it."),
    "provider.input": ErrorMeaning("{vendor} rejected the image."),
    "provider.request": ErrorMeaning(
        "{vendor} rejected the format of the request that this program sent. The cause is this "
        "program, not your input."
    ),
    "provider.refused": ErrorMeaning(
        "{vendor} does not know the endpoint. The configured base URL may be wrong."
    ),
    "provider.internal": ErrorMeaning("{vendor} failed with an internal error.", Retry.LATER),
    "provider.unavailable": ErrorMeaning(
        "The model at {vendor} is temporarily unavailable.", Retry.LATER
    ),
    "provider.failed": ErrorMeaning(
        "{vendor} ended the job without a result and without a known reason."
    ),
    "provider.output": ErrorMeaning(
        "{vendor} finished the job, but its result is not usable.", Retry.SAME
    ),
    "provider.job_gone": ErrorMeaning(
        "{vendor} no longer knows the job. It may have been charged; check the usage of the "
        "account at {vendor}."
    ),
    "story.truncated": ErrorMeaning(
        "The story exceeded the output limit of the {vendor} model twice. Use another text model, "
        "or create a video with fewer scenes.",
        Retry.CHANGED_INPUT,
    ),
    "story.invalid": ErrorMeaning(
        "The story that {vendor} wrote is invalid, and so is its correction.", Retry.SAME
    ),
    "story.not_corrected": ErrorMeaning(
        "The story that {vendor} wrote is invalid, and {vendor} did not accept the call for its "
        "correction.",
        Retry.SAME,
    ),
    "clip.bad_output": ErrorMeaning(
        "{vendor} discarded its result for low quality; text in the image is the usual cause. The "
        "next attempt uses another seed. If it fails too, change the prompt of the scene.",
        Retry.CHANGED_INPUT,
    ),
    "clip.output_lost": ErrorMeaning(
        "{vendor} generated the clip, but its download is not available.",
        Retry.SAME,
    ),
}
"""All error codes of providers and their meanings. `{vendor}` is a placeholder for its name."""


def api_key(context: ProviderContext, name: str, vendor: str) -> str:
    """Return the API key; raises ProviderRefused (`provider.key`) if none is configured."""
    value = api_key_in(context.secrets, name)
    if value is None:
        raise refused(vendor, "provider.key", billed=False)
    return value


def refused(
    vendor: str, code: str, *, billed: bool | None, cost: Cost | None = None
) -> ProviderRefused:
    """Return a definite refusal with one of our codes; see `MEANINGS`."""
    meaning = MEANINGS[code]
    detail = meaning.detail.format(vendor=vendor)
    return ProviderRefused(
        detail if billed is not False else f"{detail} {_NOT_CHARGED}",
        code=code,
        billed=billed,
        cost=cost,
        retryable=meaning.helps_unchanged,
    )


def output_lost(vendor: str, cost: Cost | None) -> MediaError:
    """Return the error for a clip that was generated and charged but cannot be downloaded."""
    meaning = MEANINGS["clip.output_lost"]
    return MediaError(
        meaning.detail.format(vendor=vendor),
        code="clip.output_lost",
        billed=True,
        cost=cost,
        retryable=meaning.helps_unchanged,
    )


def failure(vendor: str, code: str, *, resubmits: int = 0) -> JobFailure:
    """Return a job failure with one of our codes; see `MEANINGS`."""
    meaning = MEANINGS[code]
    return JobFailure(code, meaning.detail.format(vendor=vendor), meaning.retry, resubmits)


def not_accepted(
    vendor: str, retry_after: int | None = None, *, sheds_load: bool = False
) -> NotAccepted:
    """Return the error for a call that the vendor did not accept.

    `sheds_load` means that a gateway rejected the call in place of the service.
    """
    error = NotAccepted(
        f"{vendor} is busy or cannot be reached. {_NOT_CHARGED}",
        billed=False,
        retry_after=retry_after,
    )
    error.sheds_load = sheds_load
    return error


def unknown(vendor: str, *, billed: bool | None = None) -> OutcomeUnknown:
    """Return the error for a call that the vendor may or may not have accepted."""
    return OutcomeUnknown(
        f"{vendor} did not return a valid response. The call may have been accepted and charged, "
        "so it is not repeated automatically.",
        billed=billed,
    )


def transient(vendor: str, retry_after: int | None = None) -> TransientError:
    """Return the error for a free call that failed and may be retried."""
    return TransientError(
        f"{vendor} is temporarily unreachable. It keeps finished results for a day.",
        code="provider.unreachable",
        retry_after=retry_after,
    )


def from_paid_status(
    vendor: str, status: int, headers: Mapping[str, str], statuses: PaidStatuses
) -> VideoError:
    """Return the error for the status of a paid call, unless an error code is more specific."""
    if status in statuses.not_accepted:
        return not_accepted(vendor, retry_after(headers), sheds_load=status in statuses.sheds_load)
    if status in statuses.refused:
        return refused(vendor, statuses.refused[status], billed=False)
    return unknown(vendor)


def from_status(vendor: str, status: int, headers: Mapping[str, str]) -> VideoError:
    """Return the error for the status of a free call."""
    if status in (401, 403):
        return refused(
            vendor, "provider.key" if status == 401 else "provider.forbidden", billed=None
        )
    return transient(vendor, retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the seconds to wait from `retry-after-ms` or `retry-after`, from 1 to 3600.

    Returns None without a valid header. Both forms of `retry-after` are supported: seconds and an
    HTTP date. `headers` must be case-insensitive or have lowercase names.
    """
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        seconds /= 1000
    else:
        text = headers.get("retry-after")
        seconds = _number(text)
        if seconds is None and text:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time()
            except ValueError:
                return None
    if seconds is None:
        return None
    return max(1, min(-int(-seconds // 1), _MAX_RETRY_AFTER_SECONDS))


def log_vendor_error(
    vendor: str, status: int | str, code: object = None, request_id: object = None
) -> None:
    """Log the vendor's status, error code and request id, which its support asks for.

    Values that do not look like an identifier are dropped, because vendors repeat prompts and links
    to images in their messages.
    """
    logger.warning(
        "provider answered",
        extra={
            "provider": vendor,
            "provider_status": status,
            "provider_code": _identifier(code),
            "provider_request_id": _identifier(request_id),
        },
    )


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and _LOGGABLE.fullmatch(value) else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < 10**9 else None
