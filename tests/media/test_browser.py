"""Playback of finished videos in a real browser: size, duration and every frame."""

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
        program = browser.find()
    except browser.Unavailable as error:
        pytest.skip(f"NOT PLAYED: {error}. Install chromium, or let npm reach its registry.")
    with browser.page(program) as page:
        yield page


def assert_plays(page: Page, path: Path, merged: MergedVideo, size: tuple[int, int] = SIZE) -> None:
    """Assert that the file plays to its end and shows the right frame of each scene."""
    middles = [part.start + part.seconds / 2 for part in merged.parts]
    playback = browser.play(page, path, middles)
    assert playback.error is None
    assert playback.ended
    assert (playback.width, playback.height) == size
    assert playback.duration == pytest.approx(merged.seconds, abs=0.025)
    assert (playback.frames, playback.corrupted) == (merged.frames, 0)
    for part, frame in zip(merged.parts, playback.pictures, strict=True):
        clip_size = SIZE if size == SIZE else (size[0], size[0] * SIZE[1] / SIZE[0])
        code = judge.read_code(frame, size, clip_size)
        assert code is not None, f"scene {part.scene} is not readable"
        assert code[0] == part.scene
        assert abs(code[1] - part.frames / 2) <= 2


def test_browser_plays_copied_and_transcoded_clips(
    page: Page, plain: dict[int, Path], tmp_path: Path
) -> None:
    """The parameter sets of two encoders alternate in one track."""
    other_clips = {
        2: coded.clip(tmp_path, 2, KINDS["other encoder"]),
        4: coded.clip(tmp_path, 4, KINDS["hevc"]),
    }
    clips = {
        1: plain[1],
        2: other_clips[2],
        3: plain[3],
        4: other_clips[4],
        5: coded.clip(tmp_path, 5),
    }
    output = Output(renditions=(Shape("9:16"),))
    merged = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, output, tmp_path)
    treatments = [part.how for part in merged.parts]
    assert treatments == [
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
        SceneTreatment.ENCODED,
        SceneTreatment.COPIED,
    ]
    assert_plays(page, merged.path, merged)
    assert_plays(page, merged.renditions[0].path, merged, (180, 320))


def test_browser_plays_clips_with_different_parameter_set_ids(page: Page, tmp_path: Path) -> None:
    """Nothing is transcoded; the parameter sets of two encoders are copied into one track."""
    other_spec = coded.ClipSpec(
        codec=(*coded.MAIN[:4], "-profile:v", "high", "-x264-params", "sps-id=3")
    )
    makes = [coded.PLAIN, other_spec, coded.PLAIN]
    clips = {n: Clip(path) for n, path in coded.clips(tmp_path, *makes).items()}
    merged = assemble.merge_clips(clips, PLAIN, tmp_path)
    assert {part.how for part in merged.parts} == {SceneTreatment.COPIED}
    assert_plays(page, merged.path, merged)


def test_browser_plays_webm_with_crossfade(
    page: Page, plain: dict[int, Path], tmp_path: Path
) -> None:
    output = Output(format=Format.WEBM, transition=Transition.CROSSFADE, fps=Fraction(30))
    merged = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, output, tmp_path)
    playback = browser.play(page, merged.path, [0.5, merged.seconds - 0.5])
    assert (playback.error, playback.ended, playback.frames) == (None, True, merged.frames)
    assert playback.duration == pytest.approx(merged.seconds, abs=0.025)


def test_browser_detects_damaged_file(page: Page, plain: dict[int, Path], tmp_path: Path) -> None:
    data = bytearray(plain[1].read_bytes())
    start = data.index(b"mdat") + 600
    data[start : start + 400] = bytes(400)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    playback = browser.play(page, broken, [])
    assert playback.error is not None or playback.frames < coded.PLAIN.frames
