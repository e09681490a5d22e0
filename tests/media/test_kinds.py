"""A plain clip and one of every other kind become one right video."""

from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from merge import assemble
from merge.models import Clip, SceneTreatment
from tests.media import coded, judge
from tests.media.coded import KINDS, Make

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
# Their containers hold the first picture longer than the others, so all the others come later.
LATE = {"avi", "fragments"}


def expected(name: str, make: Make, scene: int, frames: int) -> judge.Scene:
    """What must be seen of a clip of this kind, in a frame of 320 x 180 at 24 a second."""
    scale = min(SIZE[0] / make.size[0], SIZE[1] / make.size[1])
    numbers = [float(place * make.rate / RATE) for place in range(frames)]
    if name == "varying rate":
        numbers = [max(n for n in coded.VARYING if n <= place) for place in numbers]
    is_exact = make.rate == RATE and name not in LATE
    return judge.Scene(
        scene,
        numbers,
        (make.size[0] * scale, make.size[1] * scale),
        slack=0.1 if is_exact else 1.1,
        heard=make.sound is not None and not name.startswith("sound"),
    )


@pytest.mark.parametrize("name", KINDS)
def test_a_clip_of_any_kind_goes_in(name: str, plain: dict[int, Path], tmp_path: Path) -> None:
    make = KINDS[name]
    odd = coded.clip(tmp_path, 2, make)
    clips = {1: Clip(plain[1]), 2: Clip(odd), 3: Clip(plain[3])}
    cut = assemble.merge_clips(clips, PLAIN, tmp_path)
    first, second, third = cut.parts
    assert (first.how, third.how) == (SceneTreatment.COPIED, SceneTreatment.COPIED)
    assert second.how is (SceneTreatment.COPIED if name in COPIED else SceneTreatment.ENCODED), (
        second.reason
    )
    assert bool(second.reason) == (second.how is SceneTreatment.ENCODED)
    lengthened = 1 if name in LATE else 0
    assert second.frames == round(make.seconds * RATE) + lengthened
    judge.judge(
        cut.path,
        [
            expected("plain", KINDS["plain"], 1, first.frames),
            expected(name, make, 2, second.frames),
            expected("plain", KINDS["plain"], 3, third.frames),
        ],
        size=SIZE,
        rate=RATE,
    )
    assert cut.frames == first.frames + second.frames + third.frames
    assert cut.seconds == pytest.approx(cut.frames / 24)


def test_no_joint_clicks(plain: dict[int, Path], tmp_path: Path) -> None:
    cut = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, PLAIN, tmp_path)
    sound = judge.samples(cut.path)
    loudest = max(abs(value) for value in sound)
    # A cut from one tone to another without care changes by about the loudness itself.
    for part in cut.parts[1:]:
        assert judge.sharpest(sound, part.start) < loudest / 40
    assert abs(len(sound) - cut.frames * 2000) <= judge.SYNC_SECONDS * judge.HERTZ
