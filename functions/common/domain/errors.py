"""Every error of the application.

    VideoError                     what was wrong, in words for the user; `code` from docs/errors
    ├── TransientError             trying the same step again can help; nothing was paid by it
    │   └── DatabaseUnavailable    no connection, or one that broke
    ├── NotAccepted                a paid call was certainly not accepted: it may be sent again
    │   └── Waiting                 and the state machine brings the step back when it is time
    └── PermanentError             trying again unchanged cannot help
        ├── InvalidInput           a field of the request is wrong; names it and what is allowed
        ├── Malformed              the request cannot even be read
        ├── UnsupportedMediaType   a body, or a part of it, is in a form that is not read
        ├── NotFound               no such thing, or not the caller's
        ├── Unauthorized           no key, or not a valid one
        ├── BudgetExceeded         a cap would be passed; says what remains
        ├── Forbidden              a valid key that may not do this
        ├── Conflict               not possible in the state that the thing is in
        ├── TooManyRequests        over the limit of the key; says when to come back
        ├── PayloadTooLarge        more bytes than the limit
        ├── RunEnded               the run has ended, or is canceled: nothing more is done for it
        ├── ProviderRefused        the provider answered no (moderation, quota, bad input)
        ├── OutcomeUnknown         a paid call may or may not have been accepted
        └── MediaError             a picture or clip that is broken or does not fit

The state machine retries by the names of the three classes of the second row, so a handler
reports every error under one of them (`as_step_error`): Step Functions compares the exact name
of the raised class and does not know of inheritance.
"""

from typing import ClassVar

from common.domain.video import Cost


class VideoError(Exception):
    """Base of all errors that the application raises on purpose.

    `code` is dotted and stable; `detail` is for people and holds no secret and no text of a
    provider; `field` is the request field at fault, if one is; `allowed` are its allowed values;
    `retryable` says whether the same again can succeed. `cost` is what a paid call that failed was
    charged all the same, where that is known.
    """

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    retryable: bool = False
    scene: int | None = None
    """The scene at fault, where a step of the whole video fails for one of its scenes."""

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
    """Trying the same step again can help."""

    code = "transient"
    title = "Temporarily unavailable"
    retryable = True


class DatabaseUnavailable(TransientError):
    """The database cannot be reached, or dropped the connection."""

    code = "database.unavailable"


class NotAccepted(VideoError):
    """A paid call was certainly not accepted by the provider, so sending it again is safe.

    `sheds_load`: a gateway of the provider said so. The provider's own count of accepted jobs, if
    it keeps one, is read before the call is sent again (`common.application.billing.paid_calls`).
    """

    code = "provider.not_accepted"
    title = "Provider is busy"
    retryable = True
    sheds_load = False


class Waiting(NotAccepted):
    """The step has to wait for its provider: `retry_after` says how long.

    That it waits is written down. It is an answer to the state machine, not a failure.
    """


class PermanentError(VideoError):
    """Trying again unchanged cannot help."""

    code = "permanent"
    title = "Cannot be done"


class InvalidInput(PermanentError):
    """A field of the request is wrong."""

    code = "request.invalid"
    title = "Invalid request"


class Malformed(PermanentError):
    """The request cannot even be read."""

    code = "request.malformed"
    title = "Malformed request"


class UnsupportedMediaType(PermanentError):
    """A body, or a part of it, is in a form that is not read."""

    code = "request.media_type"
    title = "Unsupported media type"


class NotFound(PermanentError):
    """No such thing, or it belongs to somebody else."""

    code = "not_found"
    title = "Not found"


class Unauthorized(PermanentError):
    """No API key, or not a valid one."""

    code = "auth.unauthorized"
    title = "Unauthorized"


class BudgetExceeded(PermanentError):
    """A spend cap would be passed."""

    code = "budget.exceeded"
    title = "Budget exceeded"


class Forbidden(PermanentError):
    """A valid API key that may not do this."""

    code = "auth.forbidden"
    title = "Forbidden"


class Conflict(PermanentError):
    """Not possible in the state that the thing is in."""

    code = "conflict"
    title = "Conflict"


class TooManyRequests(PermanentError):
    """Over the request limit of the API key."""

    code = "rate.requests"
    title = "Too many requests"
    retryable = True


class PayloadTooLarge(PermanentError):
    """More bytes than the limit."""

    code = "request.too_large"
    title = "Payload too large"


class RunEnded(PermanentError):
    """The run has ended, was canceled, or its video is deleted: nothing more is done for it."""

    code = "run.ended"
    title = "The run has ended"


class ProviderRefused(PermanentError):
    """The provider answered with a definite no."""

    code = "provider.refused"
    title = "The provider refused"


class OutcomeUnknown(PermanentError):
    """A paid call may or may not have been accepted; it is not sent again by itself."""

    code = "provider.outcome_unknown"
    title = "Outcome unknown"


class MediaError(PermanentError):
    """A picture or clip is broken or does not fit."""

    code = "media.invalid"
    title = "Invalid media"


_STEP_ERRORS: tuple[type[VideoError], ...] = (TransientError, NotAccepted, PermanentError)


def as_step_error(error: VideoError) -> VideoError:
    """Return the error under the one name of the three that the state machine knows."""
    named = next((known for known in _STEP_ERRORS if isinstance(error, known)), PermanentError)
    if type(error) is named:
        return error
    return named(
        error.detail,
        code=error.error_code,
        field=error.field,
        allowed=error.allowed,
        billed=error.billed,
        cost=error.cost,
        retry_after=error.retry_after,
        retryable=error.retryable,
    )
