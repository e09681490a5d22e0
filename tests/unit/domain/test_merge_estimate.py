"""A video that cannot be joined in time is refused before anything is paid, and told what helps."""

from dataclasses import replace
from fractions import Fraction

import pytest

from common.domain import merge_estimate
from common.domain.errors import InvalidInput
from common.domain.merge_estimate import MOST_PROCESSOR_SECONDS, Merge
from common.domain.output import PLAIN, Format, Output, Shape, Transition
from common.domain.video import MAX_SCENES, RATIOS

TALL, LARGE = Shape("9:16"), Shape(size=(3840, 2160))
FADES = Output(transition=Transition.CROSSFADE)


def merge(output: Output, scenes: int = MAX_SCENES, seconds: float = 10) -> Merge:
    return Merge(output, (1280, 720), scenes, seconds)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("output", [PLAIN, FADES, Output(format=Format.WEBM)])
def test_the_longest_video_in_its_own_size_is_taken(ratio: str, output: Output) -> None:
    merge_estimate.check(Merge(output, RATIOS[ratio], MAX_SCENES, 10))


@pytest.mark.parametrize(
    ("output", "help_with"),
    [
        (replace(FADES, renditions=(TALL, Shape("1:1"), Shape("4:3"))), "no renditions"),
        (replace(FADES, shape=LARGE), "the size of the clips"),
        (replace(FADES, fps=Fraction(60)), "fps 24"),
        (Output(format=Format.WEBM, shape=Shape(size=(1920, 1080))), "format mp4"),
    ],
)
def test_what_is_too_much_is_refused_and_what_helps_is_named(
    output: Output, help_with: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        merge_estimate.check(merge(output))
    assert (caught.value.error_code, caught.value.field) == ("output.too_heavy", "output")
    assert isinstance(caught.value.allowed, list)
    assert any(text.startswith(help_with) for text in caught.value.allowed)
    assert help_with in caught.value.detail


def test_as_many_scenes_as_are_named_are_taken_and_more_are_not() -> None:
    output = replace(FADES, shape=LARGE)
    with pytest.raises(InvalidInput) as caught:
        merge_estimate.check(merge(output))
    assert isinstance(caught.value.allowed, list)
    named = int(caught.value.allowed[-1].split("about ")[1].split()[0])
    merge_estimate.check(merge(output, named))
    with pytest.raises(InvalidInput):
        merge_estimate.check(merge(output, named + 2))


def test_every_further_rendition_scene_and_second_needs_more() -> None:
    base = merge(FADES, 6, 5)
    more = [
        merge(replace(FADES, renditions=(TALL,)), 6, 5),
        merge(FADES, 7, 5),
        merge(FADES, 6, 6),
        merge(replace(FADES, captions_burned=True), 6, 5),
    ]
    assert all(one.processor_seconds > base.processor_seconds for one in more)
    assert base.processor_seconds < MOST_PROCESSOR_SECONDS / 10
