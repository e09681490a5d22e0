"""Videos that take too long to merge are rejected at admission, with changes that help."""

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
def test_longest_video_in_the_size_of_its_clips_is_accepted(ratio: str, output: Output) -> None:
    merge_estimate.check(Merge(output, RATIOS[ratio], MAX_SCENES, 10))


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        (replace(FADES, renditions=(TALL, Shape("1:1"), Shape("4:3"))), "no renditions"),
        (replace(FADES, shape=LARGE), "the size of the clips"),
        (replace(FADES, fps=Fraction(60)), "fps 24"),
        (Output(format=Format.WEBM, shape=Shape(size=(1920, 1080))), "format mp4"),
    ],
)
def test_merge_that_is_too_heavy_is_rejected_with_remedies(output: Output, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        merge_estimate.check(merge(output))
    assert (caught.value.error_code, caught.value.field) == ("output.too_heavy", "output")
    assert isinstance(caught.value.allowed, list)
    assert any(text.startswith(remedy) for text in caught.value.allowed)
    assert remedy in caught.value.detail


def test_suggested_number_of_scenes_is_the_most_accepted() -> None:
    output = replace(FADES, shape=LARGE)
    with pytest.raises(InvalidInput) as caught:
        merge_estimate.check(merge(output))
    assert isinstance(caught.value.allowed, list)
    most_scenes = int(caught.value.allowed[-1].split("about ")[1].split()[0])
    merge_estimate.check(merge(output, most_scenes))
    with pytest.raises(InvalidInput):
        merge_estimate.check(merge(output, most_scenes + 2))


def test_merge_estimate_grows_with_renditions_scenes_and_seconds() -> None:
    base = merge(FADES, 6, 5)
    larger = [
        merge(replace(FADES, renditions=(TALL,)), 6, 5),
        merge(FADES, 7, 5),
        merge(FADES, 6, 6),
        merge(replace(FADES, captions_burned=True), 6, 5),
    ]
    assert all(larger_merge.processor_seconds > base.processor_seconds for larger_merge in larger)
    assert base.processor_seconds < MOST_PROCESSOR_SECONDS / 10
