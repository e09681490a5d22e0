"""Error handlers: they turn every error into a problem document (RFC 9457)."""

from dataclasses import dataclass

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from api.http import problems
from api.http.middleware import headers
from api.http.problems import Problem
from api.presenters.steps import RunFailed
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics
from common.database import limits
from common.domain.errors import VideoError
from common.schemas import problem

INVALID = 422  # legacy routes use 400, see `legacy_status_codes`
_RETRY_SECONDS = 5  # Retry-After of a 503 whose cause names no time


def register(app: APIGatewayRestResolver) -> None:
    """Register the error handlers on the application."""
    handlers = ErrorHandlers(app)
    for error, error_handler in (
        (VideoError, handlers.application_error),
        (RunFailed, handlers.run_failed),
        (RequestValidationError, handlers.invalid),
        (RequestUnsupportedContentType, handlers.unsupported_media_type),
        (Exception, handlers.unexpected),
    ):
        app.exception_handler(error)(error_handler)
    app.not_found(handlers.not_found)


@dataclass(frozen=True, slots=True)
class ErrorHandlers:
    """Responses to errors, by type of error."""

    app: APIGatewayRestResolver

    def application_error(self, error: VideoError) -> Response[str]:
        """Respond to one of the application's own errors."""
        document = problems.of_error(error, self._request_id())
        if document.status >= 500:
            logger.error("request failed", extra={"code": error.error_code, "why": error.detail})
        retry_after = error.retry_after
        if document.status == 503 and retry_after is None:
            retry_after = _RETRY_SECONDS
        response = self._respond(document, retry_after)
        if error.error_code == limits.RUNS:
            windows = response.headers.get("RateLimit")
            response.headers["RateLimit"] = f'{windows}, "runs";r=0;t={error.retry_after}'
        return response

    def run_failed(self, failure: RunFailed) -> Response[str]:
        """Respond to a request that waited for a run which failed, with the error of the run."""
        error = failure.error
        refusal = problem.refusal(
            "The run failed", error["code"], error["detail"], retryable=error["retryable"]
        )
        refusal = refusal.model_copy(update={"details": error})
        status = problems.of_failure(error["code"])
        retry_after = _RETRY_SECONDS if status == 503 else None
        document = problems.with_status(refusal, status, self._request_id())
        return self._respond(document, retry_after)

    def invalid(self, error: RequestValidationError) -> Response[str]:
        """Respond to a body or parameter that fails validation."""
        # The first item of `loc` is the source (body, path, query), which the pointer leaves out.
        faults = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
        refusal = problem.from_field_errors(problem.field_errors(faults))
        return self._respond(problems.with_status(refusal, INVALID, self._request_id()))

    def unsupported_media_type(self, _error: RequestUnsupportedContentType) -> Response[str]:
        """Respond to a body whose Content-Type is not JSON."""
        return self._problem(
            415,
            "Unsupported media type",
            "request.media_type",
            "Send the body as JSON with the header Content-Type: application/json (the default of "
            "curl is another type). Nothing was stored.",
        )

    def not_found(self, _error: Exception) -> Response[str]:
        """Respond to a path without an endpoint."""
        return self._problem(404, "Not found", "not_found", "There is no such endpoint.")

    def unexpected(self, _error: Exception) -> Response[str]:
        """Respond to an unexpected exception; the log has its traceback under the request id."""
        logger.exception("unexpected error")
        return self._problem(
            500,
            "Internal error",
            "internal",
            "The request failed because of an internal error. Report it with its `request_id`.",
        )

    def _problem(self, status: int, title: str, code: str, detail: str) -> Response[str]:
        refusal = problem.refusal(title, code, detail)
        return self._respond(problems.with_status(refusal, status, self._request_id()))

    def _respond(self, document: Problem, retry_after: int | None = None) -> Response[str]:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        if document.status == INVALID:
            status = self.app.context.get("invalid_status", INVALID)
            document = document.model_copy(update={"status": status})
        response = Response[str](
            status_code=document.status,
            content_type=problems.MEDIA_TYPE,
            body=document.model_dump_json(),
            headers=dict(headers(self.app)),
        )
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _request_id(self) -> str | None:
        return self.app.current_event.request_context.request_id
