"""What may be asked of a video, in many combinations, over clips of many kinds.

The combinations are drawn from a fixed seed, so that they are the same everywhere;
`MEDIA_CASES=200` draws more of them. Each must end right, by its decoded pictures and sound.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.output import BLUR, Fit, Format, OnBroken, Output, Shape, Transition
from merge import assemble
from merge.models import Clip, MergedVideo, Parts, SceneTreatment
from tests.media import coded, judge
from tests.media.coded import KINDS, Make

CASES = int(os.environ.get("MEDIA_CASES", "10"))
SIZES = [(320, 180), (180, 320), (240, 240)]
RATES = [Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001)]
# Kinds whose pictures are where their numbers say; the others have a test of their own.
STEADY = [name for name in KINDS if name not in {"varying rate", "avi", "fragments"}]


def shown(make: Make, size: tuple[int, int], fit: Fit) -> tuple[float, float]:
    """The size of a clip's picture in the frame."""
    scales = [size[0] / make.size[0], size[1] / make.size[1]]
    scale = min(scales) if fit is Fit.PAD else max(scales)
    return make.size[0] * scale, make.size[1] * scale


def expected(
    makes: dict[int, Make], output: Output, size: tuple[int, int], rate: Fraction
) -> list[judge.Scene]:
    """What must be seen, by arithmetic of its own: parts end at the nearest picture."""
    scenes: list[judge.Scene] = []
    ideal, made, before = Fraction(0), 0, 0
    overlap = round(Fraction(output.transition_seconds) * rate)
    for number, make in makes.items():
        ideal += make.seconds
        frames = round(ideal * rate) - made
        made += frames
        cut = output.transition is Transition.CUT
        shared = 0 if cut or not scenes else min(overlap, frames // 2, before // 2)
        before = frames
        scenes.append(
            judge.Scene(
                number,
                [min(make.frames - 1, float(n * make.rate / rate)) for n in range(frames)],
                shown(make, size, output.fit),
                slack=0.1 if make.rate == rate else 1.1,
                heard=make.sound is not None and make.sound_seconds is None,
                shared=shared,
            )
        )
    return scenes


def cases() -> Iterator[tuple[list[str], Output]]:
    chance = random.Random(5)
    for number in range(CASES):
        kinds = ["plain", *chance.choices(STEADY, k=chance.randint(1, 3))]
        chance.shuffle(kinds)
        yield (
            kinds,
            Output(
                format=Format.WEBM if number % 5 == 4 else Format.MP4,
                shape=Shape(size=chance.choice(SIZES)),
                fit=chance.choice(list(Fit)),
                background=chance.choice(["#000000", "#204060", BLUR]),
                fps=chance.choice(RATES),
                transition=list(Transition)[number % 4],
                transition_seconds=chance.choice([0.25, 0.5]),
            ),
        )


ALL = list(cases())


@pytest.mark.parametrize("number", range(CASES))
def test_a_combination_ends_right(number: int, tmp_path: Path) -> None:
    kinds, output = ALL[number]
    makes = {scene: KINDS[kind] for scene, kind in enumerate(kinds, 1)}
    clips = {scene: coded.clip(tmp_path, scene, make) for scene, make in makes.items()}
    cut = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, output, tmp_path)
    assert output.shape.size is not None
    assert output.fps is not None
    scenes = expected(makes, output, output.shape.size, output.fps)
    judge.judge(
        cut.path,
        scenes,
        size=output.shape.size,
        rate=output.fps,
        millisecond_stamps=output.format is Format.WEBM,
    )
    assert cut.frames == sum(scene.frames - scene.shared for scene in scenes)


def test_renditions_are_the_same_video_in_other_shapes(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    wish = Output(renditions=(Shape("9:16"), Shape("1:1")), background=BLUR)
    cut = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, wish, tmp_path)
    assert {part.how for part in cut.parts} == {SceneTreatment.COPIED}
    assert [made.size for made in cut.renditions] == [(180, 320), (180, 180)]
    makes = dict.fromkeys(plain, coded.PLAIN)
    for made in cut.renditions:
        scenes = expected(makes, wish, made.size, Fraction(24))
        judge.judge(made.path, scenes, size=made.size, rate=Fraction(24))


@pytest.mark.parametrize("on_broken", [OnBroken.SKIP, OnBroken.STILL])
def test_a_broken_clip_is_left_out_or_held(
    on_broken: OnBroken, plain: dict[int, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(plain[2].read_bytes()[:3000])
    still = still_of(tmp_path, 2)
    clips = {
        1: Clip(plain[1]),
        2: Clip(broken, still=still, seconds=1.5),
        3: Clip(plain[3]),
    }
    cut = assemble.merge_clips(clips, Output(on_broken=on_broken), tmp_path)
    makes = dict.fromkeys(plain, coded.PLAIN)
    one, two, three = expected(makes, Output(), (320, 180), Fraction(24))
    held = replace(two, numbers=[0] * 36, heard=False)
    skipped = on_broken is OnBroken.SKIP
    wanted = [one, three] if skipped else [one, held, three]
    judge.judge(cut.path, wanted, size=(320, 180), rate=Fraction(24))
    part = cut.parts[1]
    assert part.how is (SceneTreatment.SKIPPED if skipped else SceneTreatment.STILL)
    assert "cut short" in part.reason
    assert len(cut.warnings) == 1
    assert cut.warnings[0].startswith("Scene 2 ")
    assert part.reason in cut.warnings[0]
    assert part.frames == (0 if skipped else 36)


def still_of(folder: Path, scene: int) -> Path:
    """The first picture of a scene, as the PNG that it was painted as."""
    return coded.clip(
        folder,
        scene,
        Make(frames=1, codec=("-c:v", "png"), pixels="rgb24", sound=None, after=(), suffix="png"),
        "still",
    )


def test_burned_captions_are_seen_where_their_scene_is(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    def captions(parts: Parts, size: tuple[int, int]) -> Path:
        assert (len(parts), size) == (3, (320, 180))
        path = tmp_path / "it's, [a] test; 100%.srt"
        path.write_text("1\n00:00:01,500 --> 00:00:03,000\nMMMMMMMM\n")
        return path

    wish = Output(captions_burned=True)
    clips = {n: Clip(path) for n, path in plain.items()}
    bare = assemble.merge_clips(clips, Output(), room(tmp_path, "bare"))
    cut = assemble.merge_clips(clips, wish, room(tmp_path, "burned"), subtitles=captions)
    differences = [
        sum(abs(a - b) for a, b in zip(one[-320 * 45 :: 7], two[-320 * 45 :: 7], strict=True))
        for one, two in zip(pictures(bare), pictures(cut), strict=True)
    ]
    quiet = max(differences[:35] + differences[73:])
    assert min(differences[37:71]) > 5 * quiet


def pictures(cut: MergedVideo) -> list[bytes]:
    return judge.decode(cut.path, cut.size)


def room(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
