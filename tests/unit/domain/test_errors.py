"""The error hierarchy and its names in the state machine."""

import json
from pathlib import Path

import pytest

from common.domain import errors
from common.domain.errors import PermanentError, TransientError, VideoError, as_step_error

MACHINE = Path(__file__).parents[3] / "statemachine" / "video.asl.json"
ERROR_CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VideoError) and kind is not VideoError
]


@pytest.mark.parametrize("kind", ERROR_CLASSES, ids=lambda kind: kind.__name__)
def test_error_maps_to_a_class_that_the_state_machine_knows(
    kind: type[VideoError],
) -> None:
    error = kind("why", field="f", allowed=[1], billed=True, retry_after=3)
    step_error = as_step_error(error)
    assert type(step_error).__name__ in {"TransientError", "NotAccepted", "PermanentError"}
    assert (step_error.error_code, step_error.detail, step_error.billed) == (
        error.error_code,
        "why",
        True,
    )
    assert step_error.retryable == error.retryable


def test_state_machine_retries_only_retryable_errors() -> None:
    text = MACHINE.read_text()
    assert '"TransientError"' in text
    assert '"NotAccepted"' in text
    assert json.dumps("PermanentError") not in text


def test_step_error_is_permanent_unless_transient() -> None:
    assert type(as_step_error(VideoError("x"))) is PermanentError
    assert type(as_step_error(errors.DatabaseUnavailable("x"))) is TransientError


def test_error_instance_overrides_retryable_of_its_class() -> None:
    assert errors.ProviderRefused("x", retryable=True).retryable
    assert not errors.ProviderRefused("x").retryable


def test_module_docstring_names_every_error_class() -> None:
    assert errors.__doc__
    for kind in ERROR_CLASSES:
        assert kind.__name__ in errors.__doc__
