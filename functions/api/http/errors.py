"""Every way in which a request can be refused, turned into a problem document."""

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

WRONG = 422  # unless the route says otherwise
_RETRY_SECONDS = 5  # after a 503 whose cause does not say when it will be over


def register(app: APIGatewayRestResolver) -> None:
    """Make the application answer every error with a problem document."""
    refusals = ErrorHandlers(app)
    for error, answer in (
        (VideoError, refusals.own),
        (RunFailed, refusals.failed),
        (RequestValidationError, refusals.invalid),
        (RequestUnsupportedContentType, refusals.unsupported),
        (Exception, refusals.unexpected),
    ):
        app.exception_handler(error)(answer)
    app.not_found(refusals.unknown)


@dataclass(frozen=True, slots=True)
class ErrorHandlers:
    """Answers to errors, by what they are."""

    app: APIGatewayRestResolver

    def own(self, error: VideoError) -> Response[str]:
        """Answer one of the application's own errors."""
        refused = problems.of_error(error, self._request_id())
        if refused.status >= 500:
            logger.error("request failed", extra={"code": error.error_code, "why": error.detail})
        busy = refused.status == 503 and error.retry_after is None
        response = self._answer(refused, _RETRY_SECONDS if busy else error.retry_after)
        if error.error_code == limits.RUNS:
            known = response.headers.get("RateLimit")
            response.headers["RateLimit"] = f'{known}, "runs";r=0;t={error.retry_after}'
        return response

    def failed(self, failure: RunFailed) -> Response[str]:
        """Answer a request that waited for a run which failed; its record says why."""
        error = failure.error
        refusal = problem.refusal(
            "The run failed", error["code"], error["detail"], retryable=error["retryable"]
        )
        refusal = refusal.model_copy(update={"details": error})
        status = problems.of_failure(error["code"])
        again = _RETRY_SECONDS if status == 503 else None
        return self._answer(problems.answer(refusal, status, self._request_id()), again)

    def invalid(self, error: RequestValidationError) -> Response[str]:
        """Answer a body or parameter that the models refuse."""
        # A place begins with where it was: body, path, query.
        found = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
        refusal = problem.from_field_errors(problem.field_errors(found))
        return self._answer(problems.answer(refusal, WRONG, self._request_id()))

    def unsupported(self, _error: RequestUnsupportedContentType) -> Response[str]:
        """Answer a body that is not said to be JSON."""
        return self._problem(
            415,
            "Unsupported media type",
            "request.media_type",
            "Send the body as JSON, with Content-Type: application/json (curl sends another one by "
            "itself). Nothing was stored.",
        )

    def unknown(self, _error: Exception) -> Response[str]:
        """Answer a path that is no endpoint."""
        return self._problem(404, "Not found", "not_found", "There is no such endpoint.")

    def unexpected(self, _error: Exception) -> Response[str]:
        """Answer a mistake of the program: the log has it, the client its id."""
        logger.exception("unexpected error")
        return self._problem(
            500,
            "Internal error",
            "internal",
            "The request failed for an internal reason; the log has it under the request's id.",
        )

    def _problem(self, status: int, title: str, code: str, detail: str) -> Response[str]:
        refusal = problem.refusal(title, code, detail)
        return self._answer(problems.answer(refusal, status, self._request_id()))

    def _answer(self, refused: Problem, retry_after: int | None = None) -> Response[str]:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        if refused.status == WRONG:
            refused = refused.model_copy(update={"status": self.app.context.get("wrong", WRONG)})
        response = Response[str](
            status_code=refused.status,
            content_type=problems.MEDIA_TYPE,
            body=refused.model_dump_json(),
            headers=dict(headers(self.app)),
        )
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _request_id(self) -> str | None:
        return self.app.current_event.request_context.request_id
