"""Clips from phones, cameras and editors: extra tracks, edit lists, variable frame rates."""

import itertools
import subprocess
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.errors import MediaError
from common.domain.output import PLAIN, OnBroken, Output
from common.media import ffmpeg
from merge import assemble
from merge.models import Clip, MergedVideo, SceneTreatment
from register.inspection import measure
from tests.media import coded, judge
from tests.media.coded import FFMPEG
from tests.media.test_uploads import upload

SIZE, RATE = (320, 180), Fraction(24)
LONG = replace(coded.PLAIN, frames=96)
SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nHello\n"


def run(*arguments: str | Path) -> None:
    subprocess.run([FFMPEG, "-v", "error", *map(str, arguments)], check=True)


def scene(number: int, first: int = 0, frames: int = 36, *, audible: bool = True) -> judge.Scene:
    return judge.Scene(number, list(range(first, first + frames)), SIZE, audible=audible)


def merge_between_plain(tmp_path: Path, plain: dict[int, Path], clip: Path) -> MergedVideo:
    """Merge the clip as scene 2 between two plain ones."""
    frames = ffmpeg.decode(clip).frames
    return assemble.merge_clips(
        {1: Clip(plain[1], 36), 2: Clip(clip, frames), 3: Clip(plain[3], 36)}, PLAIN, tmp_path
    )


def change_audio_codec(path: Path, number: int) -> Path:
    """Change the codec of audio track `number` to one that ffmpeg does not know."""
    data = bytearray(path.read_bytes())
    offset = -1
    for _ in range(number + 1):
        offset = data.index(b"mp4a", offset + 1)
    data[offset : offset + 4] = b"apac"
    offset = data.index(b"esds", offset)
    data[offset : offset + 4] = b"dapa"
    path.write_bytes(data)
    return path


def write_clip_with_extra_tracks(kind: str, folder: Path) -> Path:
    """Write the clip of scene 2 with extra tracks."""
    clip, path = coded.clip(folder, 2), folder / f"extra.{'mkv' if kind == 'attachment' else 'mp4'}"
    text, cover = folder / "text.srt", folder / "cover.jpg"
    text.write_text(SUBTITLES)
    run("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", "-y", cover)
    both, keep = ("-map", "0:v", "-map", "0:a"), ("-c", "copy", "-y", path)
    match kind:
        case "apac behind":
            run("-i", clip, *both, "-map", "0:a", *keep)
            change_audio_codec(path, 1)
        case "apac in front":
            run("-i", clip, *both, "-map", "0:a", *keep)
            change_audio_codec(path, 0)
        case "dts behind":
            run(
                "-i",
                clip,
                *both,
                "-map",
                "0:a",
                "-c",
                "copy",
                "-c:a:1",
                "dca",
                "-strict",
                "-2",
                "-y",
                path,
            )
        case "subtitles":
            run(
                "-i",
                clip,
                "-i",
                text,
                *both,
                "-map",
                "1",
                "-c:s",
                "mov_text",
                *keep[:-1],
                "-c:s",
                "mov_text",
                path,
            )
        case "timecode":
            run("-i", clip, *both, "-timecode", "01:00:00:00", *keep)
        case "cover":
            run(
                "-i",
                clip,
                "-i",
                cover,
                *both,
                "-map",
                "1",
                "-disposition:v:1",
                "attached_pic",
                *keep,
            )
        case "twelve tracks":
            run("-i", clip, *both, *("-map", "0:a") * 10, *keep)
        case "second video":
            run("-i", clip, "-i", coded.clip(folder, 9), *both, "-map", "1:v", *keep)
        case "attachment":
            run("-i", clip, *both, "-attach", cover, "-metadata:s:t", "mimetype=image/jpeg", *keep)
    return path


EXTRAS = [
    "apac behind",
    "apac in front",
    "dts behind",
    "subtitles",
    "timecode",
    "cover",
    "twelve tracks",
    "second video",
    "attachment",
]


@pytest.mark.parametrize("kind", EXTRAS)
def test_extra_tracks_are_ignored(kind: str, plain: dict[int, Path], tmp_path: Path) -> None:
    clip = write_clip_with_extra_tracks(kind, tmp_path)
    upload_path = tmp_path / "upload"
    upload_path.write_bytes(clip.read_bytes())
    upload_facts = measure(upload("video", "video/mp4", b"x"), upload_path)
    assert (upload_facts.width, upload_facts.height, upload_facts.has_sound) == (*SIZE, True)
    merged = merge_between_plain(tmp_path, plain, clip)
    copied = SceneTreatment.ENCODED if kind == "attachment" else SceneTreatment.COPIED
    assert merged.parts[1].how is copied, merged.parts[1].reason
    judge.assert_video(merged.path, [scene(1), scene(2), scene(3)], size=SIZE, rate=RATE)


def test_unknown_audio_codec_is_rejected_by_name(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="apac, a codec that is not supported"):
        ffmpeg.decode(change_audio_codec(coded.clip(tmp_path, 2), 0))


HEVC_OPEN = (
    "-c:v",
    "libx265",
    "-preset",
    "fast",
    "-x265-params",
    "log-level=none:open-gop=1:keyint=24:min-keyint=24:scenecut=0",
)
H264_OPEN = (
    "-c:v",
    "libx264",
    "-preset",
    "medium",
    "-x264-params",
    "open-gop=1:keyint=24:min-keyint=24:scenecut=0",
)
TRIMMED = {
    "beginning": (coded.H264, ("-ss", "1"), 24, 72),
    "both ends": (coded.MAIN, ("-ss", "1", "-t", "1.5"), 24, 38),
    "open GOP": (H264_OPEN, ("-ss", "1.25"), 30, 66),
    "open GOP of HEVC": (HEVC_OPEN, ("-ss", "1.25"), 30, 66),
}


@pytest.mark.parametrize("kind", TRIMMED)
def test_edit_list_of_trimmed_clip_is_applied(
    kind: str, plain: dict[int, Path], tmp_path: Path
) -> None:
    codec, trim, first, frames = TRIMMED[kind]
    untrimmed = coded.clip(tmp_path, 2, replace(LONG, codec=codec), "whole")
    clip = tmp_path / "trimmed.mp4"
    run(*trim, "-i", untrimmed, "-c", "copy", "-y", clip)
    assert ffmpeg.decode(clip).frames == frames
    merged = merge_between_plain(tmp_path, plain, clip)
    scenes = [scene(1), scene(2, first, frames, audible=kind != "both ends"), scene(3)]
    judge.assert_video(merged.path, scenes, size=SIZE, rate=RATE)


def write_jittering_clip(folder: Path, rate: float, dropped: Collection[int] = ()) -> Path:
    """Write a clip as a phone does: frame durations vary by a fifth, and frames are missing."""
    missing = "+".join(f"eq(n,{number})" for number in dropped) or "0"
    times = f"settb=1/90000,setpts='(N+0.2*sin(N*2.3))/{rate}/TB'"
    make = replace(
        coded.PLAIN,
        rate=Fraction(30),
        frames=60,
        filters=f"{times},select='not({missing})'",
        after=("-fps_mode", "vfr", "-enc_time_base:v", "1:90000"),
    )
    return coded.clip(folder, 2, make, "jittering")


@pytest.mark.parametrize(
    ("rate", "dropped", "nominal_rate"),
    [
        (30.02, [], Fraction(30)),
        (60.1, [], Fraction(60)),
        (25.02, [], Fraction(25)),
        (24.05, [], Fraction(24)),
        (30.0, [10, 23, 24, 41], Fraction(30)),
    ],
)
def test_variable_frame_rate_is_rounded_to_nominal_rate(
    rate: float, dropped: list[int], nominal_rate: Fraction, tmp_path: Path
) -> None:
    clip = write_jittering_clip(tmp_path, rate, dropped)
    merged = assemble.merge_clips({1: Clip(clip)}, PLAIN, tmp_path)
    assert merged.fps == nominal_rate
    stamps = judge.presentation_times(merged.path)
    assert [b - a for a, b in itertools.pairwise(stamps)] == [1 / nominal_rate] * (len(stamps) - 1)
    codes = [judge.read_code(frame, SIZE, SIZE) for frame in judge.decode(merged.path, SIZE)]
    remaining = [number for number in range(60) if number not in dropped]
    assert list(dict.fromkeys(codes)) == [(2, number) for number in remaining]


def write_changing_clip(folder: Path, first: str, second: str, pixels: str = "yuv420p") -> Path:
    """Write a clip whose frame size or pixel format changes in the middle."""
    paths = []
    for number, (size, form) in enumerate([(first, "yuv420p"), (second, pixels)]):
        paths.append(folder / f"half_{number}.ts")
        run(
            "-f",
            "lavfi",
            "-i",
            f"testsrc2=s={size}:r=24:d=1",
            "-c:v",
            "libx264",
            "-g",
            "12",
            "-pix_fmt",
            form,
            "-y",
            paths[-1],
        )
    both, path = folder / "both.ts", folder / "changing.mp4"
    both.write_bytes(b"".join(half.read_bytes() for half in paths))
    run("-fflags", "+genpts", "-i", f"concat:{paths[0]}|{paths[1]}", "-c", "copy", "-y", path)
    return path


@pytest.mark.parametrize(
    ("first", "second", "pixels", "why"),
    [
        ("320x180", "180x320", "yuv420p", "size midway, from 320x180 to 180x320"),
        ("320x180", "640x90", "yuv420p", "size midway, from 320x180 to 640x90"),
        ("320x180", "640x360", "yuv420p", "size midway, from 320x180 to 640x360"),
        ("320x180", "320x180", "yuv422p", "pixel format midway, from yuv420p to yuv422p"),
    ],
)
def test_clip_with_changing_size_or_format_is_rejected(
    first: str, second: str, pixels: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=why):
        ffmpeg.decode(write_changing_clip(tmp_path, first, second, pixels))


def test_scene_that_fails_to_transcode_is_treated_as_broken(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    """The clip's frame count was determined without decoding, so the change was not noticed."""
    clip = write_changing_clip(tmp_path, "320x180", "180x320")
    clips = {
        1: Clip(plain[1], 36),
        2: Clip(clip, ffmpeg.inspect(clip).frames),
        3: Clip(plain[3], 36),
    }
    with pytest.raises(MediaError, match="scene 2"):
        assemble.merge_clips(clips, PLAIN, tmp_path)
    folder = tmp_path / "skip"
    folder.mkdir()
    merged = assemble.merge_clips(clips, Output(on_broken=OnBroken.SKIP), folder)
    assert [part.how for part in merged.parts] == [
        SceneTreatment.COPIED,
        SceneTreatment.SKIPPED,
        SceneTreatment.COPIED,
    ]
    (warning,) = merged.warnings
    assert warning.startswith("Scene 2 is left out with its sound and captions, because its clip")
    judge.assert_video(merged.path, [scene(1), scene(3)], size=SIZE, rate=RATE)
