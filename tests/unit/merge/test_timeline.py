"""The plan of a cut: which clips are copied, how many pictures each scene has, and where."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from common.domain.errors import MediaError
from common.domain.output import PLAIN, Format, Output, Shape, Transition
from common.media.mp4 import sample_entry
from common.media.mp4.movie import Movie, Samples, VideoTrack
from merge import timeline
from merge.timeline import ClipProbe, SoundPlan

SPS = bytes.fromhex("6764001facd9405005bb011000000300100000030300f183196001")
SPS_1 = bytes.fromhex("6764001f4b365014016ec044000003000400000300c03c60c658")
PPS, PPS_1 = bytes.fromhex("68ebecb22c"), bytes.fromhex("684af8fcb0")
AVC = sample_entry.Avc(100, 0, 31, 4, (SPS, PPS), bytes.fromhex("fdf8f800"))
HD = (1280, 720)


def movie(
    frames: int = 120, avc: sample_entry.Avc = AVC, size: tuple[int, int] = HD, step: int = 512
) -> Movie:
    """A movie as its index would say; no file is behind it."""
    visual = sample_entry.VideoSampleEntry(b"avc1", *size, (), None, avc)
    samples = Samples([1000] * frames, list(range(0, 1000 * frames, 1000)))
    pictures = VideoTrack(visual, samples, 12288, step, range(frames), [0], Fraction(0))
    return Movie(Path("clip.mp4"), pictures, None)


def facts(scene: int, found: Movie | None = None, **others: Any) -> ClipProbe:
    """A plain clip of 5 s, or what `others` make of it."""
    found = found or movie()
    pictures = found.pictures
    plain = ClipProbe(
        scene,
        found.path,
        (pictures.entry.width, pictures.entry.height),
        pictures.rate,
        pictures.seconds,
        movie=found,
    )
    return replace(plain, **others)


def foreign(scene: int, **others: Any) -> ClipProbe:
    """A clip without an index of its own."""
    return facts(scene, **{"movie": None, "why": "it is in fragments", **others})


def starts(plan: timeline.MergePlan) -> list[int]:
    return [shot.start for shot in plan.shots]


def copied(plan: timeline.MergePlan) -> list[bool]:
    return [shot.copied for shot in plan.shots]


def test_matching_clips_are_copied_one_after_the_other() -> None:
    plan = timeline.plan_merge([facts(1), facts(2), facts(3)], PLAIN)
    assert copied(plan) == [True, True, True]
    assert (starts(plan), plan.frames, plan.seconds) == ([0, 120, 240], 360, Fraction(15))
    assert (plan.size, plan.rate, plan.scale, plan.step) == (HD, Fraction(24), 12288, 512)
    assert all(not shot.reason for shot in plan.shots if shot.copied)


def test_only_clips_that_differ_are_encoded_and_it_says_why() -> None:
    tall = facts(2, movie(size=(720, 1280)))
    plan = timeline.plan_merge([facts(1), tall, facts(3), foreign(4), facts(5)], PLAIN)
    assert copied(plan) == [True, False, True, False, True]
    assert plan.shots[1].reason == "its size is 720x1280, that of the video 1280x720"
    assert plan.shots[3].reason == "it is in fragments"


def test_the_kind_that_fills_most_of_the_time_decides() -> None:
    short = [facts(n, movie(24, size=(640, 360))) for n in (1, 2, 3)]
    plan = timeline.plan_merge([*short, facts(4)], PLAIN)
    assert (plan.size, copied(plan)) == (HD, [False, False, False, True])


def test_parameter_sets_with_other_numbers_stand_side_by_side() -> None:
    other = facts(2, movie(avc=replace(AVC, sets=(SPS_1, PPS_1), level=40)))
    plan = timeline.plan_merge([facts(1), other], PLAIN)
    assert copied(plan) == [True, True]
    assert plan.model is not None
    assert plan.model.avc is not None
    assert plan.model.avc.sets == (SPS, SPS_1, PPS, PPS_1)
    assert (plan.model.avc.level, plan.model.avc.free_number) == (40, 2)


def test_one_number_for_two_parameter_sets_is_not_copied() -> None:
    changed = replace(AVC, sets=(SPS, PPS + b"\x01"))
    plan = timeline.plan_merge([facts(1), facts(2, movie(avc=changed)), facts(3)], PLAIN)
    assert copied(plan) == [True, False, True]


def test_ten_bits_are_copied_only_if_all_clips_have_them() -> None:
    ten = replace(AVC, profile=110)
    assert copied(timeline.plan_merge([facts(n, movie(avc=ten)) for n in (1, 2)], PLAIN)) == [
        True,
        True,
    ]
    mixed = [facts(1, movie(avc=ten)), facts(2, movie(avc=ten)), foreign(3)]
    assert copied(timeline.plan_merge(mixed, PLAIN)) == [False, False, False]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output(format=Format.WEBM), "the video is not an MP4"),
        (Output(transition=Transition.CROSSFADE), "the scenes overlap"),
        (Output(captions_burned=True), "captions are burned in"),
    ],
)
def test_some_wishes_leave_nothing_to_copy(output: Output, reason: str) -> None:
    plan = timeline.plan_merge([facts(1), facts(2)], output)
    assert [shot.reason for shot in plan.shots] == [reason, reason]
    assert plan.model is None


def test_scenes_overlap_by_the_length_of_the_transition() -> None:
    output = Output(transition=Transition.FADE, transition_seconds=0.5)
    plan = timeline.plan_merge([facts(1), facts(2), facts(3)], output)
    assert starts(plan) == [0, 108, 216]
    assert plan.frames == 360 - 2 * 12
    assert [plan.own_frames(place) for place in range(3)] == [108, 108, 120]


def test_a_short_scene_shares_half_of_itself_at_most() -> None:
    output = Output(transition=Transition.FADE, transition_seconds=2)
    plan = timeline.plan_merge([facts(1), facts(2, movie(24)), facts(3)], output)
    assert [shot.shared for shot in plan.shots] == [0, 12, 12]
    assert starts(plan) == [0, 108, 120]


def test_rounding_to_pictures_never_adds_up() -> None:
    odd = [foreign(n, seconds=Fraction(101, 100), rate=Fraction(30)) for n in range(1, 61)]
    plan = timeline.plan_merge(odd, Output(fps=Fraction(24)))
    for number, shot in enumerate(plan.shots):
        assert abs(shot.start / Fraction(24) - number * Fraction(101, 100)) <= Fraction(1, 48)
    assert abs(plan.seconds - 60 * Fraction(101, 100)) <= Fraction(1, 48)


def test_a_rendition_has_the_timing_of_the_video_and_another_shape() -> None:
    clips = [facts(1), foreign(2)]
    main = timeline.plan_merge(clips, PLAIN)
    tall = timeline.plan_merge(clips, Output(shape=Shape("9:16")), rendition_of=main)
    assert tall.size == (720, 1280)
    assert (starts(tall), tall.frames, tall.rate) == (starts(main), main.frames, main.rate)
    assert copied(tall) == [False, False]


@pytest.mark.parametrize(
    ("sounds", "output", "planned"),
    [
        ([None, None], PLAIN, SoundPlan.NONE),
        (["aac", None], PLAIN, SoundPlan.KEPT),
        (["aac", "aac"], PLAIN, SoundPlan.KEPT),
        (["aac", "other"], PLAIN, SoundPlan.ENCODED),
        (["aac", "aac"], Output(transition=Transition.WIPE), SoundPlan.ENCODED),
        (["aac", "aac"], Output(format=Format.WEBM), SoundPlan.ENCODED),
    ],
)
def test_sound_is_kept_where_it_can_be(
    sounds: Sequence[str | None], output: Output, planned: SoundPlan
) -> None:
    kinds = {"aac": ("config", 48000, 2), "other": None, None: None}
    clips = [
        facts(n, has_sound=sound is not None, sound=kinds[sound])
        for n, sound in enumerate(sounds, 1)
    ]
    assert timeline.plan_merge(clips, output).sound is planned


@pytest.mark.parametrize(
    ("pictures", "seconds", "rate"),
    [
        (120, Fraction(5), Fraction(24)),
        (120, Fraction(4999, 1000), Fraction(24)),
        (120, Fraction(120 * 1001, 24000), Fraction(24000, 1001)),
        (65, Fraction(5), Fraction(13)),
    ],
)
def test_a_steady_rate_is_one_of_the_usual(
    pictures: int, seconds: Fraction, rate: Fraction
) -> None:
    assert timeline.steady_rate(pictures, seconds) == rate


@pytest.mark.parametrize(
    ("mean", "median", "rate"),
    [
        ("30.02", "30", 30),
        ("60.1", "60.3", 60),
        ("25.02", "25", 25),
        ("24.05", "24", 24),
        ("29.984", "30.1", 30),
        ("29.5", "29.9", 30),
        ("28.4", "30", 30),  # some pictures were dropped
        ("14", "14", 15),
        ("39", "44", 48),
        ("300", "300", 120),
        ("29.9701", "29.97003", Fraction(30000, 1001)),
    ],
)
def test_a_varying_rate_becomes_the_one_that_is_meant(
    mean: str, median: str, rate: Fraction
) -> None:
    assert timeline.varying_rate(1 / Fraction(mean), 1 / Fraction(median)) == rate


def test_without_clips_there_is_nothing_to_plan() -> None:
    with pytest.raises(MediaError) as caught:
        timeline.plan_merge([], PLAIN)
    assert caught.value.error_code == "merge.nothing"
