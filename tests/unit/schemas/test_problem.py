"""Field errors of an invalid request, as in RFC 9457 problem details."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from common.schemas import problem


class RequestBody(BaseModel):
    ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    scenes: int = Field(1, ge=1)


def faults(**body: object) -> list[problem.FieldError]:
    with pytest.raises(ValidationError) as caught:
        RequestBody.model_validate(body)
    return problem.field_errors(caught.value.errors())


def test_literal_field_error_lists_allowed_values() -> None:
    (fault,) = faults(ratio="3:3")
    assert fault.pointer == "/ratio"
    assert fault.allowed == ["16:9", "9:16", "1:1"]


def test_range_field_error_states_the_limit_in_its_detail() -> None:
    (fault,) = faults(scenes=0)
    assert fault.allowed is None
    assert "greater than or equal to 1" in fault.detail


def test_field_error_pointer_is_an_escaped_json_pointer() -> None:
    (fault,) = problem.field_errors([{"loc": ("a/b~c", 0), "msg": "no"}], within="/1")
    assert fault.pointer == "/1/a~1b~0c/0"
