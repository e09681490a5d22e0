"""Every way in which a request can be refused, turned into a problem document."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from api import problems
from api.middleware import headers
from api.problems import Fault, Problem
from common.database import limits
from common.errors import InvalidInput, VideoError
from common.log import logger
from common.observability import MetricUnit, metrics

_RETRY_SECONDS = 5  # after a 503 whose cause does not say when it will be over


def register(app: APIGatewayRestResolver) -> None:
    """Make the application answer every error with a problem document."""
    refusals = Refusals(app)
    for error, answer in (
        (VideoError, refusals.own),
        (RequestValidationError, refusals.invalid),
        (RequestUnsupportedContentType, refusals.unsupported),
        (Exception, refusals.unexpected),
    ):
        app.exception_handler(error)(answer)
    app.not_found(refusals.unknown)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Answers to errors, by what they are."""

    app: APIGatewayRestResolver

    def own(self, error: VideoError) -> Response[str]:
        """Answer one of the application's own errors."""
        problem = problems.of_error(error, self._request_id())
        if problem.status >= 500:
            logger.error("request failed", extra={"code": error.error_code, "why": error.detail})
        busy = problem.status == 503 and error.retry_after is None
        response = self._answer(problem, _RETRY_SECONDS if busy else error.retry_after)
        if error.error_code == limits.RUNS:
            known = response.headers.get("RateLimit")
            response.headers["RateLimit"] = f'{known}, "runs";r=0;t={error.retry_after}'
        return response

    def invalid(self, error: RequestValidationError) -> Response[str]:
        """Answer a body or parameter that the models refuse."""
        faults = [_fault(fault) for fault in error.errors()]
        named = "; ".join(f"{fault.pointer or 'body'}: {fault.detail}" for fault in faults[:5])
        return self._problem(
            422,
            InvalidInput.title,
            InvalidInput.code,
            f"{named}. Nothing was stored.",
            faults,
        )

    def unsupported(self, _error: RequestUnsupportedContentType) -> Response[str]:
        """Answer a body that is not said to be JSON."""
        return self._problem(
            415,
            "Unsupported media type",
            "request.media_type",
            "Send the body as application/json.",
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

    def _problem(
        self, status: int, title: str, code: str, detail: str, faults: list[Fault] | None = None
    ) -> Response[str]:
        return self._answer(
            problems.problem(
                status,
                title=title,
                code=code,
                detail=detail,
                faults=faults,
                request_id=self._request_id(),
            )
        )

    def _answer(self, problem: Problem, retry_after: int | None = None) -> Response[str]:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        response = Response[str](
            status_code=problem.status,
            content_type=problems.MEDIA_TYPE,
            body=problem.model_dump_json(),
            headers=dict(headers(self.app)),
        )
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _request_id(self) -> str | None:
        return self.app.current_event.request_context.request_id


def _fault(error: dict[str, Any]) -> Fault:
    """Turn one of pydantic's errors into a fault; without the value, which may be private."""
    place = [_named(part) for part in error["loc"][1:]]  # after where it was: body, path, query
    return Fault(
        pointer="".join(f"/{part}" for part in place),
        detail=str(error["msg"]),
        allowed=error.get("ctx", {}).get("expected"),
    )


def _named(part: str | int) -> str:
    """Return a name as a JSON pointer has it; a client's own names can hold anything."""
    text = str(part).encode(errors="replace").decode()
    return text.replace("~", "~0").replace("/", "~1")[:100]
