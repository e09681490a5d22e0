"""How OpenAI says no: a status and {"error": {message, type, param, code}}."""

from tests.stand_ins.wire import Answer, as_json


class Refused(Exception):
    """A request that is answered with an error; nothing is charged."""

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
        self.answer: Answer = as_json(status, {"error": error}).plus(headers or {})


def unknown_parameter(name: str) -> Refused:
    """A parameter that the endpoint does not have."""
    return Refused(400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def missing(name: str) -> Refused:
    """A parameter that must be there."""
    return Refused(
        400,
        f"Missing required parameter: '{name}'.",
        code="missing_required_parameter",
        param=name,
    )


def invalid_value(name: str, value: object, allowed: object) -> Refused:
    """A value that the parameter does not take; `allowed` says what it takes."""
    return Refused(
        400,
        f"Invalid value: '{value}'. Supported values are: {allowed}.",
        code="invalid_value",
        param=name,
    )


def invalid_type(name: str, wanted: str, got: object) -> Refused:
    """A value of the wrong type."""
    return Refused(
        400,
        f"Invalid type for '{name}': expected {wanted}, but got {type(got).__name__} instead.",
        code="invalid_type",
        param=name,
    )


def check_names(given: object, allowed: frozenset[str]) -> None:
    """Refuse a body that is no object or has a parameter that the endpoint does not have."""
    if not isinstance(given, dict):
        raise Refused(400, "We could not parse the JSON body of your request.", code=None)
    for name in given:
        if name not in allowed:
            raise unknown_parameter(name)
