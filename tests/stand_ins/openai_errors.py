"""OpenAI's error responses: a status and {"error": {message, type, param, code}}."""

from tests.stand_ins.wire import WireResponse, as_json


class Refused(Exception):
    """Raised for a request that gets an error response; nothing is charged."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        error = {"message": message, "type": kind, "param": param, "code": code}
        self.answer: WireResponse = as_json(status, {"error": error}).plus(headers or {})


def unknown_parameter(name: str) -> Refused:
    """Return the error for a parameter that the endpoint does not have."""
    return Refused(400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def missing(name: str) -> Refused:
    """Return the error for a missing required parameter."""
    return Refused(
        400,
        f"Missing required parameter: '{name}'.",
        code="missing_required_parameter",
        param=name,
    )


def invalid_value(name: str, value: object, allowed: object) -> Refused:
    """Return the error for an invalid value; `allowed` describes the valid ones."""
    return Refused(
        400,
        f"Invalid value: '{value}'. Supported values are: {allowed}.",
        code="invalid_value",
        param=name,
    )


def invalid_type(name: str, wanted: str, got: object) -> Refused:
    """Return the error for a value of the wrong type."""
    return Refused(
        400,
        f"Invalid type for '{name}': expected {wanted}, but got {type(got).__name__} instead.",
        code="invalid_type",
        param=name,
    )


def check_names(given: object, allowed: frozenset[str]) -> None:
    """Raise Refused if the body is not an object or has an unknown parameter."""
    if not isinstance(given, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code=None)
    for name in given:
        if name not in allowed:
            raise unknown_parameter(name)
