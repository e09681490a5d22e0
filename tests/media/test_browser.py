"""What is made plays in a real browser: to the end, every picture, at the right size and length."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN, Format, Output, Shape, Transition
from merge import assemble
from merge.models import Clip, MergedVideo, SceneTreatment
from tests.media import browser, coded, judge
from tests.media.browser import Page
from tests.media.coded import KINDS

SIZE = (320, 180)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """An empty page of a real browser."""
    try:
        found = browser.find()
    except browser.Unavailable as why:
        pytest.skip(f"NOT PLAYED: {why}. Install chromium, or let npm reach its registry.")
    with browser.page(found) as opened:
        yield opened


def plays(page: Page, path: Path, cut: MergedVideo, size: tuple[int, int] = SIZE) -> None:
    """Play it through; then look at the middle of each scene."""
    middles = [part.start + part.seconds / 2 for part in cut.parts]
    seen = browser.play(page, path, middles)
    assert seen.error is None
    assert seen.ended
    assert (seen.width, seen.height) == size
    assert seen.duration == pytest.approx(cut.seconds, abs=0.025)
    assert (seen.frames, seen.corrupted) == (cut.frames, 0)
    for part, picture in zip(cut.parts, seen.pictures, strict=True):
        shown = SIZE if size == SIZE else (size[0], size[0] * SIZE[1] / SIZE[0])
        found = judge.read(picture, size, shown)
        assert found is not None, f"scene {part.scene} is not readable"
        assert found[0] == part.scene
        assert abs(found[1] - part.frames / 2) <= 2


def test_copied_and_encoded_clips_play_as_one(
    page: Page, plain: dict[int, Path], tmp_path: Path
) -> None:
    """Two encoders' parameter sets stand in one track, and come back after one another."""
    odd = {
        2: coded.clip(tmp_path, 2, KINDS["other encoder"]),
        4: coded.clip(tmp_path, 4, KINDS["hevc"]),
    }
    clips = {1: plain[1], 2: odd[2], 3: plain[3], 4: odd[4], 5: coded.clip(tmp_path, 5)}
    wish = Output(renditions=(Shape("9:16"),))
    cut = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, wish, tmp_path)
    hows = [part.how for part in cut.parts]
    assert hows == [
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
    ]
    plays(page, cut.path, cut)
    plays(page, cut.renditions[0].path, cut, (180, 320))


def test_sets_that_came_with_other_numbers_play_as_one(page: Page, tmp_path: Path) -> None:
    """Nothing is encoded here: the sets of two encoders are copied side by side."""
    other = coded.Make(codec=(*coded.MAIN[:4], "-profile:v", "high", "-x264-params", "sps-id=3"))
    makes = [coded.PLAIN, other, coded.PLAIN]
    clips = {n: Clip(path) for n, path in coded.clips(tmp_path, *makes).items()}
    cut = assemble.merge_clips(clips, PLAIN, tmp_path)
    assert {part.how for part in cut.parts} == {SceneTreatment.COPIED}
    plays(page, cut.path, cut)


def test_webm_with_overlapping_scenes_plays(
    page: Page, plain: dict[int, Path], tmp_path: Path
) -> None:
    wish = Output(format=Format.WEBM, transition=Transition.CROSSFADE, fps=Fraction(30))
    cut = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, wish, tmp_path)
    seen = browser.play(page, cut.path, [0.5, cut.seconds - 0.5])
    assert (seen.error, seen.ended, seen.frames) == (None, True, cut.frames)
    assert seen.duration == pytest.approx(cut.seconds, abs=0.025)


def test_a_damaged_file_does_not_pass_for_one_that_plays(
    page: Page, plain: dict[int, Path], tmp_path: Path
) -> None:
    data = bytearray(plain[1].read_bytes())
    start = data.index(b"mdat") + 600
    data[start : start + 400] = bytes(400)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    seen = browser.play(page, broken, [])
    assert seen.error is not None or seen.frames < coded.PLAIN.frames
