"""HTTP status codes of errors, and problem documents (RFC 9457)."""

from pydantic import Field

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
    """A problem document. `code` is stable; `title` and `detail` may change."""

    status: int = Field(description="HTTP status.")
    request_id: str | None = Field(default=None, description="Id of the request, for support.")


def status_of(error: VideoError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def of_error(error: VideoError, request_id: str | None) -> Problem:
    """Return the problem document of one of the application's own errors."""
    return with_status(problem.from_error(error), status_of(error), request_id)


# Status of a request that waited for a failed run, by prefix of the run's error code. 502: a
# provider failed, or rejects this deployment; 503: a provider or AWS is busy or unreachable.
_RUN_FAILURE_STATUS = (
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
    """Return the HTTP status for a run that failed with this error code."""
    return next(
        (status for status, prefixes in _RUN_FAILURE_STATUS if code.startswith(prefixes)), 500
    )


def with_status(refusal: Refusal, status: int, request_id: str | None) -> Problem:
    """Return the problem document of a refusal, with its HTTP status and the request id."""
    return Problem(**refusal.model_dump(), status=status, request_id=request_id)
