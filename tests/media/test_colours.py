"""Clips whose colours are told in every way, or by half, go in as they look."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from merge import assemble
from merge.models import Clip, SceneTreatment
from tests.media import coded, judge, patches
from tests.media.coded import H264, Make

SIZE, RATE = (320, 180), Fraction(24)
# What encoders write into their stream; an entry of the container may say so too, or not.
TOLD = {
    "sRGB": "transfer=iec61966-2-1:colorprim=bt709:colormatrix=bt709",
    "PAL": "transfer=bt470bg:colorprim=bt470bg:colormatrix=bt470bg",
    "BT.2020": "transfer=bt2020-10:colorprim=bt2020:colormatrix=bt2020nc",
    "BT.2020 by half": "colorprim=bt2020",
    "a curve alone": "transfer=bt2020-10",
    "YCgCo": "colormatrix=YCgCo",
}


def told(colour: str, **more: object) -> Make:
    return replace(coded.PLAIN, codec=(*H264, "-x264-params", colour), **more)  # type: ignore[arg-type]  # fields of Make


def scene(number: int, make: Make = coded.PLAIN) -> judge.Scene:
    frames = round(make.seconds * RATE)
    numbers = [min(make.frames - 1, float(place * make.rate / RATE)) for place in range(frames)]
    return judge.Scene(number, numbers, SIZE, slack=0.1 if make.rate == RATE else 1.1)


@pytest.mark.parametrize("name", TOLD)
def test_a_clip_is_as_bright_as_it_was(name: str, plain: dict[int, Path], tmp_path: Path) -> None:
    odd = coded.clip(tmp_path, 2, told(TOLD[name]))
    clips = {1: Clip(plain[1]), 2: Clip(odd), 3: Clip(plain[3])}
    cut = assemble.merge_clips(clips, PLAIN, tmp_path)
    assert [part.how for part in cut.parts] == [
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
    ]
    judge.judge(cut.path, [scene(1), scene(2), scene(3)], size=SIZE, rate=RATE)


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_others_are_made_like_it(name: str, suffix: str, tmp_path: Path) -> None:
    """Where that cannot be, the whole is encoded: YCgCo is nothing that is written here."""
    colours = told(TOLD[name], suffix=suffix)
    makes = {1: colours, 2: replace(coded.PLAIN, rate=Fraction(30), frames=45), 3: colours}
    clips = {n: Clip(coded.clip(tmp_path, n, make)) for n, make in makes.items()}
    cut = assemble.merge_clips(clips, PLAIN, tmp_path)
    kept = SceneTreatment.ENCODED if name == "YCgCo" else SceneTreatment.COPIED
    assert [part.how for part in cut.parts] == [kept, SceneTreatment.ENCODED, kept]
    judge.judge(cut.path, [scene(n, make) for n, make in makes.items()], size=SIZE, rate=RATE)


@pytest.mark.parametrize("coding", patches.CODINGS)
def test_colours_are_shown_as_they_were_meant(coding: str, tmp_path: Path) -> None:
    """Also beside SDR: high dynamic range is as bright, and only near white is it pressed."""
    clips = {
        1: Clip(patches.clip(tmp_path / "own.mp4", coding)),
        2: Clip(patches.clip(tmp_path / "sdr.mp4", "BT.709")),
    }
    cut = assemble.merge_clips(clips, PLAIN, tmp_path)
    found = patches.shown(cut.path)
    beside = patches.shown(cut.path, at=1.5)
    is_bright = coding in patches.HIGH_DYNAMIC
    # HLG is graded by luminance; the filter takes the three colours each for itself.
    slack = 14 if "HLG" in coding else 4
    for name, colour in patches.COLOURS.items():
        wrong = f"{name}: {found[name]} for {colour}"
        for value, meant, sdr in zip(found[name], colour, beside[name], strict=True):
            if is_bright and meant > 200:
                assert 235 <= value <= 255, wrong
            else:
                assert abs(value - meant) <= slack, wrong
                assert abs(value - sdr) <= slack + 2, wrong
