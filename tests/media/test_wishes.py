"""Output options in many combinations, over clips of many kinds.

The combinations are drawn with a fixed seed; `MEDIA_CASES=200` draws more of them. The result is
checked by its decoded frames and audio.
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
from merge.models import Clip, MergedScenes, MergedVideo, SceneTreatment
from tests.media import coded, judge
from tests.media.coded import KINDS, ClipSpec

CASES = int(os.environ.get("MEDIA_CASES", "10"))
SIZES = [(320, 180), (180, 320), (240, 240)]
RATES = [Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001)]
# Kinds with evenly spaced frames; test_kinds.py has the others.
STEADY = [name for name in KINDS if name not in {"varying rate", "avi", "fragments"}]


def clip_size(make: ClipSpec, size: tuple[int, int], fit: Fit) -> tuple[float, float]:
    """Return the size of a clip in the frame."""
    scales = [size[0] / make.size[0], size[1] / make.size[1]]
    scale = min(scales) if fit is Fit.PAD else max(scales)
    return make.size[0] * scale, make.size[1] * scale


def expected(
    makes: dict[int, ClipSpec], output: Output, size: tuple[int, int], rate: Fraction
) -> list[judge.Scene]:
    """Return the expected scenes, calculated independently: scenes end at the nearest frame."""
    scenes: list[judge.Scene] = []
    ideal, total, before = Fraction(0), 0, 0
    overlap = round(Fraction(output.transition_seconds) * rate)
    for number, make in makes.items():
        ideal += make.seconds
        frames = round(ideal * rate) - total
        total += frames
        is_hard_cut = output.transition is Transition.CUT
        overlap_frames = 0 if is_hard_cut or not scenes else min(overlap, frames // 2, before // 2)
        before = frames
        scenes.append(
            judge.Scene(
                number,
                [min(make.frames - 1, float(n * make.rate / rate)) for n in range(frames)],
                clip_size(make, size, output.fit),
                slack=0.1 if make.rate == rate else 1.1,
                audible=make.sound is not None and make.sound_seconds is None,
                overlap=overlap_frames,
            )
        )
    return scenes


def cases() -> Iterator[tuple[list[str], Output]]:
    rng = random.Random(5)
    for number in range(CASES):
        kinds = ["plain", *rng.choices(STEADY, k=rng.randint(1, 3))]
        rng.shuffle(kinds)
        yield (
            kinds,
            Output(
                format=Format.WEBM if number % 5 == 4 else Format.MP4,
                shape=Shape(size=rng.choice(SIZES)),
                fit=rng.choice(list(Fit)),
                background=rng.choice(["#000000", "#204060", BLUR]),
                fps=rng.choice(RATES),
                transition=list(Transition)[number % 4],
                transition_seconds=rng.choice([0.25, 0.5]),
            ),
        )


COMBINATIONS = list(cases())


@pytest.mark.parametrize("number", range(CASES))
def test_output_combination_renders_expected_video(number: int, tmp_path: Path) -> None:
    kinds, output = COMBINATIONS[number]
    makes = {scene: KINDS[kind] for scene, kind in enumerate(kinds, 1)}
    clips = {scene: coded.clip(tmp_path, scene, make) for scene, make in makes.items()}
    merged = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, output, tmp_path)
    assert output.shape.size is not None
    assert output.fps is not None
    scenes = expected(makes, output, output.shape.size, output.fps)
    judge.assert_video(
        merged.path,
        scenes,
        size=output.shape.size,
        rate=output.fps,
        millisecond_stamps=output.format is Format.WEBM,
    )
    assert merged.frames == sum(scene.frames - scene.overlap for scene in scenes)


def test_renditions_show_same_video_in_other_ratios(plain: dict[int, Path], tmp_path: Path) -> None:
    output = Output(renditions=(Shape("9:16"), Shape("1:1")), background=BLUR)
    merged = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, output, tmp_path)
    assert {part.how for part in merged.parts} == {SceneTreatment.COPIED}
    assert [rendition.size for rendition in merged.renditions] == [(180, 320), (180, 180)]
    makes = dict.fromkeys(plain, coded.PLAIN)
    for rendition in merged.renditions:
        scenes = expected(makes, output, rendition.size, Fraction(24))
        judge.assert_video(rendition.path, scenes, size=rendition.size, rate=Fraction(24))


@pytest.mark.parametrize("on_broken", [OnBroken.SKIP, OnBroken.STILL])
def test_broken_clip_is_skipped_or_frozen(
    on_broken: OnBroken, plain: dict[int, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(plain[2].read_bytes()[:3000])
    image = write_first_frame(tmp_path, 2)
    clips = {
        1: Clip(plain[1]),
        2: Clip(broken, still=image, seconds=1.5),
        3: Clip(plain[3]),
    }
    merged = assemble.merge_clips(clips, Output(on_broken=on_broken), tmp_path)
    makes = dict.fromkeys(plain, coded.PLAIN)
    first, second, third = expected(makes, Output(), (320, 180), Fraction(24))
    frozen = replace(second, numbers=[0] * 36, audible=False)
    skipped = on_broken is OnBroken.SKIP
    expected_scenes = [first, third] if skipped else [first, frozen, third]
    judge.assert_video(merged.path, expected_scenes, size=(320, 180), rate=Fraction(24))
    part = merged.parts[1]
    assert part.how is (SceneTreatment.SKIPPED if skipped else SceneTreatment.STILL)
    assert "cut short" in part.reason
    assert len(merged.warnings) == 1
    assert merged.warnings[0].startswith("Scene 2 ")
    assert part.reason in merged.warnings[0]
    assert part.frames == (0 if skipped else 36)


def write_first_frame(folder: Path, scene: int) -> Path:
    """Write the first frame of a scene as PNG."""
    return coded.clip(
        folder,
        scene,
        ClipSpec(
            frames=1, codec=("-c:v", "png"), pixels="rgb24", sound=None, after=(), suffix="png"
        ),
        "still",
    )


def test_burned_captions_are_visible_only_in_their_scene(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    def captions(parts: MergedScenes, size: tuple[int, int]) -> Path:
        assert (len(parts), size) == (3, (320, 180))
        path = tmp_path / "it's, [a] test; 100%.srt"
        path.write_text("1\n00:00:01,500 --> 00:00:03,000\nMMMMMMMM\n")
        return path

    output = Output(captions_burned=True)
    clips = {n: Clip(path) for n, path in plain.items()}
    without_captions = assemble.merge_clips(clips, Output(), make_folder(tmp_path, "bare"))
    merged = assemble.merge_clips(
        clips, output, make_folder(tmp_path, "burned"), subtitles=captions
    )
    differences = [
        sum(
            abs(a - b)
            for a, b in zip(plain_frame[-320 * 45 :: 7], frame[-320 * 45 :: 7], strict=True)
        )
        for plain_frame, frame in zip(
            decode_frames(without_captions), decode_frames(merged), strict=True
        )
    ]
    quiet = max(differences[:35] + differences[73:])
    assert min(differences[37:71]) > 5 * quiet


def decode_frames(merged: MergedVideo) -> list[bytes]:
    return judge.decode(merged.path, merged.size)


def make_folder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path
