"""Errors as HTTP: the only place that knows which status an error has (RFC 9457)."""

from common.domain.errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    InvalidInput,
    Malformed,
    MediaError,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
    TransientError,
    Unauthorized,
    UnsupportedMediaType,
    VideoError,
)
from common.schemas import problem
from common.schemas.problem import Refusal

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[VideoError], int], ...] = (
    (Malformed, 400),
    (InvalidInput, 422),
    (MediaError, 422),
    (PayloadTooLarge, 413),
    (UnsupportedMediaType, 415),
    (Unauthorized, 401),
    (BudgetExceeded, 402),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooManyRequests, 429),
    (TransientError, 503),
)


class Problem(Refusal):
    """Why a request was refused. `code` is stable; the texts are for people."""

    status: int
    request_id: str | None = None


def status_of(error: VideoError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def of_error(error: VideoError, request_id: str | None) -> Problem:
    """Describe one of the application's own errors."""
    return answer(problem.from_error(error), status_of(error), request_id)


# Of a run that a request waited for. 502: a provider failed, or refuses this deployment; 503: a
# provider or a service of AWS is busy or cannot be reached.
_FAILED = (
    (402, ("provider.credits", "provider.quota", "budget.")),
    (400, ("safety.", "provider.input", "merge.music", "speech.failed")),
    (
        503,
        (
            *("provider.not_accepted", "provider.limit", "provider.unavailable"),
            *("provider.unreachable", "database.unavailable", "secrets.unavailable"),
            *("storage.unavailable", "functions.unavailable", "pipeline.unavailable"),
            *("step.busy", "ledger.unsettled"),
        ),
    ),
    (
        502,
        (
            *("provider.", "story.", "image.unusable", "speech.unusable", "speech.not_the_text"),
            *("speech.too_long", "media.invalid", "media.too_large", "clip.bad_output"),
            *("clip.output_lost", "clip.not_finished", "clip.timeout"),
        ),
    ),
)


def of_failure(code: str) -> int:
    """Return the status of the request for a run that failed with this code."""
    return next((status for status, starts in _FAILED if code.startswith(starts)), 500)


def answer(refusal: Refusal, status: int, request_id: str | None) -> Problem:
    """Give a refusal its status, and the request's id."""
    return Problem(**refusal.model_dump(), status=status, request_id=request_id)
