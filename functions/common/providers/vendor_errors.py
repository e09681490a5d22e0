"""What a vendor's answer means to us: its statuses and failures become the project's own errors.

Codes are our own vocabulary, and so are the words: no text of a vendor, no prompt, no link and no
key goes into an error. What helps to ask the vendor (its code, its request id) goes to the log; its
words do not, because they can repeat the prompt. The vendor has them under the request id.

The rule for paid calls is one of certainty. Certainly not accepted: `NotAccepted`, the same may be
sent again. A definite no: `ProviderRefused`. Everything else: `OutcomeUnknown`, never sent again by
itself. Which statuses are certain is defined per vendor (`statuses`).
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

_NOTHING = "Nothing was charged."
_SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_LONGEST_WAIT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """What a code says to the user, and whether the same may be tried again."""

    detail: str
    retry: Retry = Retry.NO

    @property
    def helps_unchanged(self) -> bool:
        """Whether the same again, at once or later, can succeed."""
        return self.retry in (Retry.SAME, Retry.LATER)


MEANINGS: Mapping[str, ErrorMeaning] = {
    "safety.input": ErrorMeaning("{vendor} declined the prompt or the picture for safety reasons."),
    "safety.output": ErrorMeaning(
        "{vendor} held back its result for safety reasons; the same prompt may be held back again.",
        Retry.CHANGED_INPUT,
    ),
    "provider.credits": ErrorMeaning(
        "The account at {vendor} has no credits left, or has reached its spend limit.", Retry.LATER
    ),
    "provider.quota": ErrorMeaning(
        "The account's quota at {vendor} is used up until it is renewed.", Retry.LATER
    ),
    "provider.key": ErrorMeaning(
        "{vendor} did not accept the API key, or none is set.", Retry.LATER
    ),
    "provider.forbidden": ErrorMeaning(
        "The account at {vendor} is not allowed to do this: the organization is not verified for "
        "the model, the region is not served, or a permission is missing.",
        Retry.LATER,
    ),
    "provider.model": ErrorMeaning("{vendor} does not offer the model, or no longer."),
    "provider.input": ErrorMeaning("{vendor} did not accept the picture."),
    "provider.request": ErrorMeaning(
        "{vendor} rejected the request in the form in which this program sent it. The cause is the "
        "program, and not what was asked for."
    ),
    "provider.refused": ErrorMeaning(
        "{vendor} does not know the endpoint. The address that is configured for it may be wrong."
    ),
    "provider.internal": ErrorMeaning("{vendor} failed to do the work.", Retry.LATER),
    "provider.unavailable": ErrorMeaning(
        "The model behind {vendor} is not available at the moment.", Retry.LATER
    ),
    "provider.failed": ErrorMeaning(
        "{vendor} ended the work without a result, and without a reason that is known."
    ),
    "provider.output": ErrorMeaning(
        "{vendor} finished the work, but its result is not usable.", Retry.SAME
    ),
    "provider.job_gone": ErrorMeaning(
        "{vendor} does not know the job any more; whether it was charged is shown in the account "
        "there."
    ),
    "story.truncated": ErrorMeaning(
        "The story did not fit into the answer of {vendor}, twice. Another text model may need "
        "less room, and so does a new video with fewer scenes.",
        Retry.CHANGED_INPUT,
    ),
    "story.invalid": ErrorMeaning(
        "The story that {vendor} wrote breaks the rules, and so does its correction.", Retry.SAME
    ),
    "story.not_corrected": ErrorMeaning(
        "The story that {vendor} wrote breaks the rules, and {vendor} did not accept the call that "
        "asks for a correction.",
        Retry.SAME,
    ),
    "clip.bad_output": ErrorMeaning(
        "{vendor} discarded its own result for low quality; text in the picture is the usual "
        "cause. The next attempt has another seed. If it fails too, change the scene's prompt.",
        Retry.CHANGED_INPUT,
    ),
    "clip.output_lost": ErrorMeaning(
        "{vendor} made the clip, but does not hand it out.",
        Retry.SAME,
    ),
}
"""Every code that providers use, and what it means. `{vendor}` is filled in."""


def key(context: ProviderContext, name: str, vendor: str) -> str:
    """Return the API key; raises ProviderRefused without a call when there is none to send."""
    value = api_key_in(context.secrets, name)
    if value is None:
        raise refused(vendor, "provider.key", billed=False)
    return value


def refused(
    vendor: str, code: str, *, billed: bool | None, cost: Cost | None = None
) -> ProviderRefused:
    """Return a definite no under one of our codes."""
    meaning = MEANINGS[code]
    detail = meaning.detail.format(vendor=vendor)
    return ProviderRefused(
        detail if billed is not False else f"{detail} {_NOTHING}",
        code=code,
        billed=billed,
        cost=cost,
        retryable=meaning.helps_unchanged,
    )


def lost(vendor: str, cost: Cost | None) -> MediaError:
    """Return that a clip was made and charged, and cannot be had."""
    meaning = MEANINGS["clip.output_lost"]
    return MediaError(
        meaning.detail.format(vendor=vendor),
        code="clip.output_lost",
        billed=True,
        cost=cost,
        retryable=meaning.helps_unchanged,
    )


def failure(vendor: str, code: str, *, resubmits: int = 0) -> JobFailure:
    """Return why a job failed, under one of our codes."""
    meaning = MEANINGS[code]
    return JobFailure(code, meaning.detail.format(vendor=vendor), meaning.retry, resubmits)


def not_accepted(
    vendor: str, retry_after: int | None = None, *, sheds_load: bool = False
) -> NotAccepted:
    """Return that the vendor did not take the call; `sheds_load`: by the word of its gateway."""
    error = NotAccepted(
        f"{vendor} is busy or cannot be reached. {_NOTHING}",
        billed=False,
        retry_after=retry_after,
    )
    error.sheds_load = sheds_load
    return error


def unknown(vendor: str, *, billed: bool | None = None) -> OutcomeUnknown:
    """Return that nobody knows whether the vendor took the call."""
    return OutcomeUnknown(
        f"{vendor} did not answer as it should. The call may have been accepted and charged, so it "
        "is not repeated automatically.",
        billed=billed,
    )


def transient(vendor: str, retry_after: int | None = None) -> TransientError:
    """Return that a free call failed, and may be made again."""
    return TransientError(
        f"{vendor} cannot be reached at the moment. What it made is kept there for a day.",
        code="provider.unreachable",
        retry_after=retry_after,
    )


def from_paid_status(
    vendor: str, status: int, headers: Mapping[str, str], statuses: PaidStatuses
) -> VideoError:
    """Return what the status of a paid call means, where the vendor's code says no more."""
    if status in statuses.not_accepted:
        return not_accepted(vendor, retry_after(headers), sheds_load=status in statuses.sheds_load)
    if status in statuses.refused:
        return refused(vendor, statuses.refused[status], billed=False)
    return unknown(vendor)


def from_status(vendor: str, status: int, headers: Mapping[str, str]) -> VideoError:
    """Return what the status of a free call means."""
    if status in (401, 403):
        return refused(
            vendor, "provider.key" if status == 401 else "provider.forbidden", billed=None
        )
    return transient(vendor, retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the seconds to wait that the vendor names (`retry-after-ms`, `retry-after`), if any.

    Header names are looked up as they are, so the mapping has to ignore case.
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
    return max(1, min(-int(-seconds // 1), _LONGEST_WAIT_SECONDS))


def log_vendor_error(
    vendor: str, status: int | str, code: object = None, request_id: object = None
) -> None:
    """Write to the log what the vendor's support would ask for, if it has the form of an id.

    Never a text: vendors repeat prompts, and links to pictures, in theirs.
    """
    logger.warning(
        "provider answered",
        extra={
            "provider": vendor,
            "provider_status": status,
            "provider_code": _plain(code),
            "provider_request_id": _plain(request_id),
        },
    )


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) and _SAFE.fullmatch(value) else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < 10**9 else None
