"""What may be asked of the finished video, and the sizes that follow from it."""

from fractions import Fraction
from typing import Any

import pytest

from common.domain.errors import InvalidInput
from common.domain.output import PLAIN, Output, Shape


def test_nothing_asked_is_a_plain_cut_of_the_clips_as_they_came() -> None:
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
def test_a_shape_has_a_size(shape: Shape, natural: tuple[int, int], size: tuple[int, int]) -> None:
    assert shape.of(natural) == size


@pytest.mark.parametrize(
    ("field", "wish"),
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
def test_what_cannot_be_made_is_refused_by_field(field: str, wish: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        wish()
    assert caught.value.field == field
    assert caught.value.allowed
