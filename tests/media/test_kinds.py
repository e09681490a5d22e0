"""A merge of plain clips with a clip of every other kind."""

from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from merge import assemble
from merge.models import Clip, SceneTreatment
from tests.media import coded, judge
from tests.media.coded import KINDS, ClipSpec

SIZE, RATE = (320, 180), Fraction(24)
COPIED = {
    "plain",
    "without sound",
    "quicktime",
    "fragments without sound",
    "fragments, late index",
    "index behind",
    "other clock",
    "without b pictures",
    "stereo",
    "5.1",
    "44.1 kHz",
    "sound ends early",
    "sound ends late",
    "sound begins late",
}
# Their containers show the first frame longer, so all others come later.
LATE = {"avi", "fragments"}


def expected(name: str, make: ClipSpec, scene: int, frames: int) -> judge.Scene:
    """Return the expected scene of a clip of this kind, at 320 x 180 and 24 fps."""
    scale = min(SIZE[0] / make.size[0], SIZE[1] / make.size[1])
    numbers = [float(index * make.rate / RATE) for index in range(frames)]
    if name == "varying rate":
        numbers = [max(n for n in coded.VARYING if n <= number) for number in numbers]
    is_exact = make.rate == RATE and name not in LATE
    return judge.Scene(
        scene,
        numbers,
        (make.size[0] * scale, make.size[1] * scale),
        slack=0.1 if is_exact else 1.1,
        audible=make.sound is not None and not name.startswith("sound"),
    )


@pytest.mark.parametrize("name", KINDS)
def test_merge_accepts_clip_of_every_kind(
    name: str, plain: dict[int, Path], tmp_path: Path
) -> None:
    make = KINDS[name]
    other_clip = coded.clip(tmp_path, 2, make)
    clips = {1: Clip(plain[1]), 2: Clip(other_clip), 3: Clip(plain[3])}
    merged = assemble.merge_clips(clips, PLAIN, tmp_path)
    first, second, third = merged.parts
    assert (first.how, third.how) == (SceneTreatment.COPIED, SceneTreatment.COPIED)
    assert second.how is (SceneTreatment.COPIED if name in COPIED else SceneTreatment.ENCODED), (
        second.reason
    )
    assert bool(second.reason) == (second.how is SceneTreatment.ENCODED)
    lengthened = 1 if name in LATE else 0
    assert second.frames == round(make.seconds * RATE) + lengthened
    judge.assert_video(
        merged.path,
        [
            expected("plain", KINDS["plain"], 1, first.frames),
            expected(name, make, 2, second.frames),
            expected("plain", KINDS["plain"], 3, third.frames),
        ],
        size=SIZE,
        rate=RATE,
    )
    assert merged.frames == first.frames + second.frames + third.frames
    assert merged.seconds == pytest.approx(merged.frames / 24)


def test_clip_boundaries_have_no_clicks(plain: dict[int, Path], tmp_path: Path) -> None:
    merged = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, PLAIN, tmp_path)
    sound = judge.samples(merged.path)
    loudest = max(abs(value) for value in sound)
    # An abrupt change from one tone to another is about as large as the loudest sample.
    for part in merged.parts[1:]:
        assert judge.max_discontinuity(sound, part.start) < loudest / 40
    assert abs(len(sound) - merged.frames * 2000) <= judge.SYNC_SECONDS * judge.HERTZ
