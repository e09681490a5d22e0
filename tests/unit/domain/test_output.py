"""Output options: validation and frame sizes."""

from fractions import Fraction
from typing import Any

import pytest

from common.domain.errors import InvalidInput
from common.domain.output import PLAIN, Output, Shape


def test_default_output_is_plain_and_keeps_the_size_of_the_clips() -> None:
    assert Output() == PLAIN
    assert PLAIN.shape.of((1280, 720)) == (1280, 720)


@pytest.mark.parametrize(
    ("shape", "natural", "size"),
    [
        (Shape("9:16"), (1280, 720), (720, 1280)),
        (Shape("1:1"), (1280, 720), (720, 720)),
        (Shape("16:9"), (720, 1280), (1280, 720)),
        (Shape("21:9"), (1280, 720), (1680, 720)),
        (Shape(size=(640, 360)), (1280, 720), (640, 360)),
        (Shape("16:9", (854, 480)), (1280, 720), (854, 480)),
        (Shape(), (1281, 719), (1280, 720)),
    ],
)
def test_shape_determines_the_frame_size(
    shape: Shape, natural: tuple[int, int], size: tuple[int, int]
) -> None:
    assert shape.of(natural) == size


@pytest.mark.parametrize(
    ("field", "make_output"),
    [
        ("output.ratio", lambda: Shape("wide")),
        ("output.ratio", lambda: Shape("9:1")),
        ("output.size", lambda: Shape(size=(641, 360))),
        ("output.size", lambda: Shape(size=(8192, 4096))),
        ("output.size", lambda: Shape(size=(2000, 64))),
        ("output.size", lambda: Shape("1:1", (640, 360))),
        ("output.background", lambda: Output(background="red")),
        ("output.fps", lambda: Output(fps=Fraction(120))),
        ("output.transition_seconds", lambda: Output(transition_seconds=9)),
        ("output.renditions", lambda: Output(renditions=(Shape("1:1"),) * 5)),
        ("output.renditions", lambda: Output(renditions=(Shape(),))),
    ],
)
def test_invalid_output_option_is_rejected_by_field(field: str, make_output: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_output()
    assert caught.value.field == field
    assert caught.value.allowed
