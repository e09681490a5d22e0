"""What is said of a request that does not fit."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from common.schemas import problem


class Asked(BaseModel):
    ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    scenes: int = Field(1, ge=1)


def faults(**body: object) -> list[problem.FieldError]:
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate(body)
    return problem.field_errors(refused.value.errors())


def test_allowed_values_are_a_list() -> None:
    (fault,) = faults(ratio="3:3")
    assert fault.pointer == "/ratio"
    assert fault.allowed == ["16:9", "9:16", "1:1"]


def test_where_any_value_in_a_range_is_allowed_the_text_says_so() -> None:
    (fault,) = faults(scenes=0)
    assert fault.allowed is None
    assert "greater than or equal to 1" in fault.detail


def test_names_of_fields_are_json_pointers() -> None:
    (fault,) = problem.field_errors([{"loc": ("a/b~c", 0), "msg": "no"}], within="/1")
    assert fault.pointer == "/1/a~1b~0c/0"
