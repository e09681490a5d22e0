"""Colour metadata: clips with complete, partial or unusual colour tags keep their appearance."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from merge import assemble
from merge.models import Clip, SceneTreatment
from tests.media import coded, judge, patches
from tests.media.coded import H264, ClipSpec

SIZE, RATE = (320, 180), Fraction(24)
# Colour tags that encoders write into their stream; the container may repeat them.
COLOUR_TAGS = {
    "sRGB": "transfer=iec61966-2-1:colorprim=bt709:colormatrix=bt709",
    "PAL": "transfer=bt470bg:colorprim=bt470bg:colormatrix=bt470bg",
    "BT.2020": "transfer=bt2020-10:colorprim=bt2020:colormatrix=bt2020nc",
    "BT.2020 by half": "colorprim=bt2020",
    "a curve alone": "transfer=bt2020-10",
    "YCgCo": "colormatrix=YCgCo",
}


def tagged_spec(colour: str, **more: object) -> ClipSpec:
    return replace(coded.PLAIN, codec=(*H264, "-x264-params", colour), **more)  # type: ignore[arg-type]  # fields of Make


def scene(number: int, make: ClipSpec = coded.PLAIN) -> judge.Scene:
    frames = round(make.seconds * RATE)
    numbers = [min(make.frames - 1, float(index * make.rate / RATE)) for index in range(frames)]
    return judge.Scene(number, numbers, SIZE, slack=0.1 if make.rate == RATE else 1.1)


@pytest.mark.parametrize("name", COLOUR_TAGS)
def test_transcoded_clip_keeps_brightness_for_colour_tags(
    name: str, plain: dict[int, Path], tmp_path: Path
) -> None:
    tagged_clip = coded.clip(tmp_path, 2, tagged_spec(COLOUR_TAGS[name]))
    clips = {1: Clip(plain[1]), 2: Clip(tagged_clip), 3: Clip(plain[3])}
    merged = assemble.merge_clips(clips, PLAIN, tmp_path)
    assert [part.how for part in merged.parts] == [
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
    ]
    judge.assert_video(merged.path, [scene(1), scene(2), scene(3)], size=SIZE, rate=RATE)


@pytest.mark.parametrize("name", COLOUR_TAGS)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_other_clips_are_transcoded_to_colours_of_majority(
    name: str, suffix: str, tmp_path: Path
) -> None:
    """YCgCo cannot be written, so the whole video is transcoded."""
    colours = tagged_spec(COLOUR_TAGS[name], suffix=suffix)
    makes = {1: colours, 2: replace(coded.PLAIN, rate=Fraction(30), frames=45), 3: colours}
    clips = {n: Clip(coded.clip(tmp_path, n, make)) for n, make in makes.items()}
    merged = assemble.merge_clips(clips, PLAIN, tmp_path)
    treatment = SceneTreatment.ENCODED if name == "YCgCo" else SceneTreatment.COPIED
    assert [part.how for part in merged.parts] == [treatment, SceneTreatment.ENCODED, treatment]
    judge.assert_video(
        merged.path, [scene(n, make) for n, make in makes.items()], size=SIZE, rate=RATE
    )


@pytest.mark.parametrize("coding", patches.CODINGS)
def test_colours_are_displayed_as_intended(coding: str, tmp_path: Path) -> None:
    """HDR is as bright as SDR beside it, and is compressed only near white."""
    clips = {
        1: Clip(patches.clip(tmp_path / "own.mp4", coding)),
        2: Clip(patches.clip(tmp_path / "sdr.mp4", "BT.709")),
    }
    merged = assemble.merge_clips(clips, PLAIN, tmp_path)
    displayed = patches.displayed_colours(merged.path)
    displayed_sdr = patches.displayed_colours(merged.path, at=1.5)
    is_bright = coding in patches.HDR_CODINGS
    # HLG is graded by luminance, but the filter converts each channel separately.
    slack = 14 if "HLG" in coding else 4
    for name, colour in patches.COLOURS.items():
        message = f"{name}: {displayed[name]} for {colour}"
        for value, original, sdr in zip(displayed[name], colour, displayed_sdr[name], strict=True):
            if is_bright and original > 200:
                assert 235 <= value <= 255, message
            else:
                assert abs(value - original) <= slack, message
                assert abs(value - sdr) <= slack + 2, message
