"""The merge plan: stream copy or transcode, frame counts and start frames of each scene."""

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
from merge.timeline import AudioTreatment, ClipProbe

SPS = bytes.fromhex("6764001facd9405005bb011000000300100000030300f183196001")
SPS_1 = bytes.fromhex("6764001f4b365014016ec044000003000400000300c03c60c658")
PPS, PPS_1 = bytes.fromhex("68ebecb22c"), bytes.fromhex("684af8fcb0")
AVC = sample_entry.AvcConfig(100, 0, 31, 4, (SPS, PPS), bytes.fromhex("fdf8f800"))
HD = (1280, 720)


def movie(
    frames: int = 120,
    avc: sample_entry.AvcConfig = AVC,
    size: tuple[int, int] = HD,
    step: int = 512,
) -> Movie:
    """Return a movie as parsed from a sample table; no file exists."""
    visual = sample_entry.VideoSampleEntry(b"avc1", *size, (), None, avc)
    samples = Samples([1000] * frames, list(range(0, 1000 * frames, 1000)))
    video_track = VideoTrack(visual, samples, 12288, step, range(frames), [0], Fraction(0))
    return Movie(Path("clip.mp4"), video_track, None)


def probe(scene: int, source: Movie | None = None, **changes: Any) -> ClipProbe:
    """Return the probe of a plain clip of 5 s, changed by `others`."""
    source = source or movie()
    video_track = source.video
    default = ClipProbe(
        scene,
        source.path,
        (video_track.entry.width, video_track.entry.height),
        video_track.rate,
        video_track.seconds,
        movie=source,
    )
    return replace(default, **changes)


def unindexed_probe(scene: int, **changes: Any) -> ClipProbe:
    """Return the probe of a clip without a sample table, which cannot be stream-copied."""
    return probe(scene, **{"movie": None, "why": "it is in fragments", **changes})


def start_frames(plan: timeline.MergePlan) -> list[int]:
    return [shot.start for shot in plan.segments]


def are_copied(plan: timeline.MergePlan) -> list[bool]:
    return [shot.copied for shot in plan.segments]


def test_matching_clips_are_stream_copied() -> None:
    plan = timeline.plan_merge([probe(1), probe(2), probe(3)], PLAIN)
    assert are_copied(plan) == [True, True, True]
    assert (start_frames(plan), plan.frames, plan.seconds) == ([0, 120, 240], 360, Fraction(15))
    assert (plan.size, plan.rate, plan.timescale, plan.frame_duration) == (
        HD,
        Fraction(24),
        12288,
        512,
    )
    assert all(not shot.reason for shot in plan.segments if shot.copied)


def test_only_differing_clips_are_transcoded_with_a_reason() -> None:
    tall = probe(2, movie(size=(720, 1280)))
    plan = timeline.plan_merge([probe(1), tall, probe(3), unindexed_probe(4), probe(5)], PLAIN)
    assert are_copied(plan) == [True, False, True, False, True]
    assert plan.segments[1].reason == "its size is 720x1280, that of the video 1280x720"
    assert plan.segments[3].reason == "it is in fragments"


def test_dominant_format_by_duration_is_used() -> None:
    short = [probe(n, movie(24, size=(640, 360))) for n in (1, 2, 3)]
    plan = timeline.plan_merge([*short, probe(4)], PLAIN)
    assert (plan.size, are_copied(plan)) == (HD, [False, False, False, True])


def test_parameter_sets_with_different_ids_are_merged() -> None:
    second_clip = probe(2, movie(avc=replace(AVC, parameter_sets=(SPS_1, PPS_1), level=40)))
    plan = timeline.plan_merge([probe(1), second_clip], PLAIN)
    assert are_copied(plan) == [True, True]
    assert plan.model is not None
    assert plan.model.avc is not None
    assert plan.model.avc.parameter_sets == (SPS, SPS_1, PPS, PPS_1)
    assert (plan.model.avc.level, plan.model.avc.unused_parameter_set_id) == (40, 2)


def test_conflicting_parameter_set_id_forces_transcode() -> None:
    changed = replace(AVC, parameter_sets=(SPS, PPS + b"\x01"))
    plan = timeline.plan_merge([probe(1), probe(2, movie(avc=changed)), probe(3)], PLAIN)
    assert are_copied(plan) == [True, False, True]


def test_10_bit_clips_are_copied_only_if_all_are_10_bit() -> None:
    ten_bit = replace(AVC, profile=110)
    assert are_copied(
        timeline.plan_merge([probe(n, movie(avc=ten_bit)) for n in (1, 2)], PLAIN)
    ) == [
        True,
        True,
    ]
    mixed = [probe(1, movie(avc=ten_bit)), probe(2, movie(avc=ten_bit)), unindexed_probe(3)]
    assert are_copied(timeline.plan_merge(mixed, PLAIN)) == [False, False, False]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output(format=Format.WEBM), "the video is not an MP4"),
        (Output(transition=Transition.CROSSFADE), "the scenes overlap"),
        (Output(captions_burned=True), "captions are burned in"),
    ],
)
def test_output_options_that_force_transcode_of_all_clips(output: Output, reason: str) -> None:
    plan = timeline.plan_merge([probe(1), probe(2)], output)
    assert [shot.reason for shot in plan.segments] == [reason, reason]
    assert plan.model is None


def test_transition_overlaps_scenes_by_its_length() -> None:
    output = Output(transition=Transition.FADE, transition_seconds=0.5)
    plan = timeline.plan_merge([probe(1), probe(2), probe(3)], output)
    assert start_frames(plan) == [0, 108, 216]
    assert plan.frames == 360 - 2 * 12
    assert [plan.own_frames(index) for index in range(3)] == [108, 108, 120]


def test_transition_overlap_is_at_most_half_of_a_short_scene() -> None:
    output = Output(transition=Transition.FADE, transition_seconds=2)
    plan = timeline.plan_merge([probe(1), probe(2, movie(24)), probe(3)], output)
    assert [shot.overlap_frames for shot in plan.segments] == [0, 12, 12]
    assert start_frames(plan) == [0, 108, 120]


def test_frame_rounding_errors_do_not_accumulate() -> None:
    clips = [
        unindexed_probe(n, seconds=Fraction(101, 100), rate=Fraction(30)) for n in range(1, 61)
    ]
    plan = timeline.plan_merge(clips, Output(fps=Fraction(24)))
    for number, shot in enumerate(plan.segments):
        assert abs(shot.start / Fraction(24) - number * Fraction(101, 100)) <= Fraction(1, 48)
    assert abs(plan.seconds - 60 * Fraction(101, 100)) <= Fraction(1, 48)


def test_rendition_keeps_the_timing_of_the_video() -> None:
    clips = [probe(1), unindexed_probe(2)]
    main = timeline.plan_merge(clips, PLAIN)
    rendition = timeline.plan_merge(clips, Output(shape=Shape("9:16")), rendition_of=main)
    assert rendition.size == (720, 1280)
    assert (start_frames(rendition), rendition.frames, rendition.rate) == (
        start_frames(main),
        main.frames,
        main.rate,
    )
    assert are_copied(rendition) == [False, False]


@pytest.mark.parametrize(
    ("sounds", "output", "expected"),
    [
        ([None, None], PLAIN, AudioTreatment.NONE),
        (["aac", None], PLAIN, AudioTreatment.KEPT),
        (["aac", "aac"], PLAIN, AudioTreatment.KEPT),
        (["aac", "other"], PLAIN, AudioTreatment.ENCODED),
        (["aac", "aac"], Output(transition=Transition.WIPE), AudioTreatment.ENCODED),
        (["aac", "aac"], Output(format=Format.WEBM), AudioTreatment.ENCODED),
    ],
)
def test_audio_is_stream_copied_where_possible(
    sounds: Sequence[str | None], output: Output, expected: AudioTreatment
) -> None:
    audio_formats = {"aac": ("config", 48000, 2), "other": None, None: None}
    clips = [
        probe(n, has_sound=clip_audio is not None, sound=audio_formats[clip_audio])
        for n, clip_audio in enumerate(sounds, 1)
    ]
    assert timeline.plan_merge(clips, output).sound is expected


@pytest.mark.parametrize(
    ("frames", "seconds", "rate"),
    [
        (120, Fraction(5), Fraction(24)),
        (120, Fraction(4999, 1000), Fraction(24)),
        (120, Fraction(120 * 1001, 24000), Fraction(24000, 1001)),
        (65, Fraction(5), Fraction(13)),
    ],
)
def test_constant_frame_rate_snaps_to_a_standard_rate(
    frames: int, seconds: Fraction, rate: Fraction
) -> None:
    assert timeline.steady_rate(frames, seconds) == rate


@pytest.mark.parametrize(
    ("mean", "median", "rate"),
    [
        ("30.02", "30", 30),
        ("60.1", "60.3", 60),
        ("25.02", "25", 25),
        ("24.05", "24", 24),
        ("29.984", "30.1", 30),
        ("29.5", "29.9", 30),
        ("28.4", "30", 30),  # some frames were dropped
        ("14", "14", 15),
        ("39", "44", 48),
        ("300", "300", 120),
        ("29.9701", "29.97003", Fraction(30000, 1001)),
    ],
)
def test_variable_frame_rate_snaps_to_the_intended_rate(
    mean: str, median: str, rate: Fraction
) -> None:
    assert timeline.varying_rate(1 / Fraction(mean), 1 / Fraction(median)) == rate


def test_plan_without_clips_is_rejected() -> None:
    with pytest.raises(MediaError) as caught:
        timeline.plan_merge([], PLAIN)
    assert caught.value.error_code == "merge.nothing"
