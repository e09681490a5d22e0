"""Clips as phones, cameras and editors write them: extra tracks, edit lists, varying rates."""

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


def scene(number: int, first: int = 0, frames: int = 36, *, heard: bool = True) -> judge.Scene:
    return judge.Scene(number, list(range(first, first + frames)), SIZE, heard=heard)


def joined(tmp_path: Path, plain: dict[int, Path], odd: Path) -> MergedVideo:
    """The odd clip as scene 2 between two plain ones, as it is collected and merged."""
    frames = ffmpeg.decode(odd).frames
    return assemble.merge_clips(
        {1: Clip(plain[1], 36), 2: Clip(odd, frames), 3: Clip(plain[3], 36)}, PLAIN, tmp_path
    )


def apac(path: Path, number: int) -> Path:
    """Turn the sound track `number` into one of a codec that ffmpeg does not know."""
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(number + 1):
        place = data.index(b"mp4a", place + 1)
    data[place : place + 4] = b"apac"
    place = data.index(b"esds", place)
    data[place : place + 4] = b"dapa"
    path.write_bytes(data)
    return path


def with_extras(kind: str, folder: Path) -> Path:
    """Write the clip of scene 2 with tracks beside those that are used."""
    clip, path = coded.clip(folder, 2), folder / f"extra.{'mkv' if kind == 'attachment' else 'mp4'}"
    text, still = folder / "text.srt", folder / "cover.jpg"
    text.write_text(SUBTITLES)
    run("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", "-y", still)
    both, keep = ("-map", "0:v", "-map", "0:a"), ("-c", "copy", "-y", path)
    match kind:
        case "apac behind":
            run("-i", clip, *both, "-map", "0:a", *keep)
            apac(path, 1)
        case "apac in front":
            run("-i", clip, *both, "-map", "0:a", *keep)
            apac(path, 0)
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
                still,
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
            run("-i", clip, *both, "-attach", still, "-metadata:s:t", "mimetype=image/jpeg", *keep)
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
def test_tracks_that_are_not_used_do_not_matter(
    kind: str, plain: dict[int, Path], tmp_path: Path
) -> None:
    odd = with_extras(kind, tmp_path)
    sent = tmp_path / "upload"
    sent.write_bytes(odd.read_bytes())
    found = measure(upload("video", "video/mp4", b"x"), sent)
    assert (found.width, found.height, found.has_sound) == (*SIZE, True)
    cut = joined(tmp_path, plain, odd)
    copied = SceneTreatment.ENCODED if kind == "attachment" else SceneTreatment.COPIED
    assert cut.parts[1].how is copied, cut.parts[1].reason
    judge.judge(cut.path, [scene(1), scene(2), scene(3)], size=SIZE, rate=RATE)


def test_sound_in_an_unknown_codec_alone_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="apac, a codec that is not taken"):
        ffmpeg.decode(apac(coded.clip(tmp_path, 2), 0))


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
def test_a_clip_trimmed_without_encoding_shows_what_its_edit_list_says(
    kind: str, plain: dict[int, Path], tmp_path: Path
) -> None:
    codec, cut_at, first, frames = TRIMMED[kind]
    whole = coded.clip(tmp_path, 2, replace(LONG, codec=codec), "whole")
    odd = tmp_path / "trimmed.mp4"
    run(*cut_at, "-i", whole, "-c", "copy", "-y", odd)
    assert ffmpeg.decode(odd).frames == frames
    cut = joined(tmp_path, plain, odd)
    scenes = [scene(1), scene(2, first, frames, heard=kind != "both ends"), scene(3)]
    judge.judge(cut.path, scenes, size=SIZE, rate=RATE)


def jittering(folder: Path, rate: float, dropped: Collection[int] = ()) -> Path:
    """A phone's clip: the steps vary by up to a fifth of a picture, and some pictures are lost."""
    lost = "+".join(f"eq(n,{number})" for number in dropped) or "0"
    times = f"settb=1/90000,setpts='(N+0.2*sin(N*2.3))/{rate}/TB'"
    make = replace(
        coded.PLAIN,
        rate=Fraction(30),
        frames=60,
        filters=f"{times},select='not({lost})'",
        after=("-fps_mode", "vfr", "-enc_time_base:v", "1:90000"),
    )
    return coded.clip(folder, 2, make, "jittering")


@pytest.mark.parametrize(
    ("rate", "dropped", "usual"),
    [
        (30.02, [], Fraction(30)),
        (60.1, [], Fraction(60)),
        (25.02, [], Fraction(25)),
        (24.05, [], Fraction(24)),
        (30.0, [10, 23, 24, 41], Fraction(30)),
    ],
)
def test_a_varying_rate_becomes_the_usual_rate_that_is_meant(
    rate: float, dropped: list[int], usual: Fraction, tmp_path: Path
) -> None:
    odd = jittering(tmp_path, rate, dropped)
    cut = assemble.merge_clips({1: Clip(odd)}, PLAIN, tmp_path)
    assert cut.fps == usual
    stamps = judge.stamps(cut.path)
    assert [b - a for a, b in itertools.pairwise(stamps)] == [1 / usual] * (len(stamps) - 1)
    seen = [judge.read(picture, SIZE, SIZE) for picture in judge.decode(cut.path, SIZE)]
    kept = [number for number in range(60) if number not in dropped]
    assert list(dict.fromkeys(seen)) == [(2, number) for number in kept]


def changing(folder: Path, first: str, second: str, pixels: str = "yuv420p") -> Path:
    """A clip whose pictures have another size, or another pixel format, from the middle on."""
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
def test_a_form_that_changes_midway_is_refused_when_the_clip_comes_in(
    first: str, second: str, pixels: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=why):
        ffmpeg.decode(changing(tmp_path, first, second, pixels))


def test_a_scene_that_fails_while_it_is_encoded_counts_as_broken(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    """A clip whose number of pictures was counted by somebody who did not see the change."""
    odd = changing(tmp_path, "320x180", "180x320")
    clips = {1: Clip(plain[1], 36), 2: Clip(odd, ffmpeg.inspect(odd).frames), 3: Clip(plain[3], 36)}
    with pytest.raises(MediaError, match="scene 2"):
        assemble.merge_clips(clips, PLAIN, tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    cut = assemble.merge_clips(clips, Output(on_broken=OnBroken.SKIP), again)
    assert [part.how for part in cut.parts] == [
        SceneTreatment.COPIED,
        SceneTreatment.SKIPPED,
        SceneTreatment.COPIED,
    ]
    (warning,) = cut.warnings
    assert warning.startswith("Scene 2 is left out with its sound and captions, because its clip")
    judge.judge(cut.path, [scene(1), scene(3)], size=SIZE, rate=RATE)
