"""The error tree: what the state machine sees, and what each error says."""

import json
from pathlib import Path

import pytest

from common.domain import errors
from common.domain.errors import PermanentError, TransientError, VideoError, as_step_error

MACHINE = Path(__file__).parents[3] / "statemachine" / "video.asl.json"
LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VideoError) and kind is not VideoError
]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_reaches_the_state_machine_under_a_name_it_knows(
    kind: type[VideoError],
) -> None:
    error = kind("why", field="f", allowed=[1], billed=True, retry_after=3)
    named = as_step_error(error)
    assert type(named).__name__ in {"TransientError", "NotAccepted", "PermanentError"}
    assert (named.error_code, named.detail, named.billed) == (error.error_code, "why", True)
    assert named.retryable == error.retryable


def test_the_state_machine_names_the_retryable_ones() -> None:
    text = MACHINE.read_text()
    assert '"TransientError"' in text
    assert '"NotAccepted"' in text
    assert json.dumps("PermanentError") not in text


def test_what_is_not_transient_is_permanent() -> None:
    assert type(as_step_error(VideoError("x"))) is PermanentError
    assert type(as_step_error(errors.DatabaseUnavailable("x"))) is TransientError


def test_an_instance_can_say_better_than_its_class() -> None:
    assert errors.ProviderRefused("x", retryable=True).retryable
    assert not errors.ProviderRefused("x").retryable


def test_the_drawing_on_top_names_every_class() -> None:
    assert errors.__doc__
    for kind in LEAVES:
        assert kind.__name__ in errors.__doc__
