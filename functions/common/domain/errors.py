"""The application's exceptions.

    VideoError                     base class; `code` is listed in docs/errors.md
    ├── TransientError             a retry of the step can succeed; it was not charged
    │   └── DatabaseUnavailable    no connection to the database, or a lost one
    ├── NotAccepted                a paid call was certainly not accepted, so a retry is safe
    │   └── Waiting                the step waits for a provider slot; the state machine retries it
    └── PermanentError             a retry without changes cannot succeed
        ├── InvalidInput           a field of the request is invalid; has the field, allowed values
        ├── Malformed              the request cannot be parsed
        ├── UnsupportedMediaType   the request's body, or a part of it, has an unsupported type
        ├── NotFound               does not exist, or belongs to another user
        ├── Unauthorized           no API key, or an invalid one
        ├── BudgetExceeded         a cap would be exceeded; has the remaining amount
        ├── Forbidden              the API key lacks a permission
        ├── Conflict               not possible in the resource's current state
        ├── TooManyRequests        the API key is over its rate limit; has `retry_after`
        ├── PayloadTooLarge        more bytes than the limit
        ├── RunEnded               the run has ended or was canceled, so the step must stop
        ├── ProviderRefused        the provider refused the call (moderation, quota, invalid input)
        ├── OutcomeUnknown         a paid call may have been accepted and charged
        └── MediaError             a broken or unsuitable image or clip

Step Functions matches the exact name of the raised class and ignores inheritance. So a handler
raises every error as one of the three direct subclasses of VideoError (`as_step_error`), which the
retriers of the state machine name.
"""

from typing import ClassVar

from common.domain.video import Cost


class VideoError(Exception):
    """Base class of all errors that the application raises.

    `code` is dotted and stable. `detail` is for people and contains neither secrets nor text of a
    provider. `field` is the invalid field of the request and `allowed` its allowed values.
    `retryable` is true if the same request can succeed later. `billed` is true or false if the call
    was certainly charged or not charged, otherwise None. `cost` is the charge of a paid call that
    failed, if it is known. `retry_after` is in seconds.
    """

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    retryable: bool = False
    scene: int | None = None
    """The scene that caused the error, if a step of the whole video failed because of one."""

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        field: str | None = None,
        allowed: object = None,
        billed: bool | None = None,
        cost: Cost | None = None,
        retry_after: int | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.error_code = code or self.code
        self.field = field
        self.allowed = allowed
        self.billed = billed
        self.cost = cost
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class TransientError(VideoError):
    """A temporary failure: a retry of the same step can succeed."""

    code = "transient"
    title = "Temporarily unavailable"
    retryable = True


class DatabaseUnavailable(TransientError):
    """The database cannot be reached, or closed the connection."""

    code = "database.unavailable"


class NotAccepted(VideoError):
    """A paid call was certainly not accepted by the provider, so a retry is safe.

    `sheds_load` is true if only a gateway of the provider refused the call. Then the provider's
    count of accepted jobs, if it has one, is read before the retry
    (`common.application.billing.paid_calls`).
    """

    code = "provider.not_accepted"
    title = "Provider is busy"
    retryable = True
    sheds_load = False


class Waiting(NotAccepted):
    """The step waits in the provider queue for `retry_after` seconds.

    The wait is stored already. The handler returns it to the state machine as a result, not as a
    failure.
    """


class PermanentError(VideoError):
    """A failure that a retry without changes cannot fix."""

    code = "permanent"
    title = "Cannot be done"


class InvalidInput(PermanentError):
    """A field of the request is invalid."""

    code = "request.invalid"
    title = "Invalid request"


class Malformed(PermanentError):
    """The request cannot be parsed."""

    code = "request.malformed"
    title = "Malformed request"


class UnsupportedMediaType(PermanentError):
    """The request's body, or a part of it, has an unsupported type."""

    code = "request.media_type"
    title = "Unsupported media type"


class NotFound(PermanentError):
    """The resource does not exist, or belongs to another user."""

    code = "not_found"
    title = "Not found"


class Unauthorized(PermanentError):
    """The request has no API key, or an invalid one."""

    code = "auth.unauthorized"
    title = "Unauthorized"


class BudgetExceeded(PermanentError):
    """A spending cap would be exceeded."""

    code = "budget.exceeded"
    title = "Budget exceeded"


class Forbidden(PermanentError):
    """The API key is valid but lacks a permission."""

    code = "auth.forbidden"
    title = "Forbidden"


class Conflict(PermanentError):
    """The request is not possible in the resource's current state."""

    code = "conflict"
    title = "Conflict"


class TooManyRequests(PermanentError):
    """The API key is over its rate limit."""

    code = "rate.requests"
    title = "Too many requests"
    retryable = True


class PayloadTooLarge(PermanentError):
    """The request has more bytes than the limit."""

    code = "request.too_large"
    title = "Payload too large"


class RunEnded(PermanentError):
    """The run has ended, was canceled, or its video was deleted, so its steps must stop."""

    code = "run.ended"
    title = "The run has ended"


class ProviderRefused(PermanentError):
    """The provider definitely refused the call."""

    code = "provider.refused"
    title = "The provider refused"


class OutcomeUnknown(PermanentError):
    """A paid call may have been accepted and charged, so it is never repeated automatically."""

    code = "provider.outcome_unknown"
    title = "Outcome unknown"


class MediaError(PermanentError):
    """An image or clip is broken or unsuitable."""

    code = "media.invalid"
    title = "Invalid media"


_STEP_ERRORS: tuple[type[VideoError], ...] = (TransientError, NotAccepted, PermanentError)


def as_step_error(error: VideoError) -> VideoError:
    """Return the error as one of the three classes that the state machine's retriers name."""
    step_error = next((cls for cls in _STEP_ERRORS if isinstance(error, cls)), PermanentError)
    if type(error) is step_error:
        return error
    return step_error(
        error.detail,
        code=error.error_code,
        field=error.field,
        allowed=error.allowed,
        billed=error.billed,
        cost=error.cost,
        retry_after=error.retry_after,
        retryable=error.retryable,
    )
