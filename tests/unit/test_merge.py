"""Merging: real clips in, one right video out, or a refusal that names the clip."""

from pathlib import Path

import pytest
from PIL import Image

from common import ffmpeg
from common.errors import MediaError
from common.output import PLAIN
from merge import assembly, poster, timeline
from merge.cut import Clip, Cut
from tests.unit import clips


def folder_of(tmp_path: Path, **odd: object) -> dict[int, Path]:
    """Three clips of grey 40, 120 and 200; the middle one made differently if `odd`."""
    made = {}
    for scene, grey in ((1, 40), (2, 120), (3, 200)):
        options = odd if scene == 2 else {}
        path = tmp_path / f"clip_{scene:03d}.mp4"
        made[scene] = clips.make(path, grey=grey, **options)  # type: ignore[arg-type]  # options of `make`
    return made


def join(made: dict[int, Path], tmp_path: Path) -> Cut:
    return assembly.join({scene: Clip(path) for scene, path in made.items()}, PLAIN, tmp_path)


def close(seen: list[int], grey: int) -> bool:
    return all(abs(value - grey) <= 15 for value in seen)


def test_clips_are_joined_in_order_and_whole(tmp_path: Path) -> None:
    cut = join(folder_of(tmp_path), tmp_path)
    seen = clips.greys(cut.path)
    assert (len(seen), cut.frames) == (72, 72)
    assert cut.seconds == pytest.approx(3.0)
    assert close(seen[:24], 40)
    assert close(seen[24:48], 120)
    assert close(seen[48:], 200)
    assert ffmpeg.starts_at_once(cut.path)
    assert cut.size_bytes == cut.path.stat().st_size
    poster.make(cut.path, tmp_path / "final.jpg")
    with Image.open(tmp_path / "final.jpg") as still:
        assert still.size == (320, 180)


def test_the_order_is_that_of_the_scenes_not_of_the_mapping(tmp_path: Path) -> None:
    made = folder_of(tmp_path)
    cut = join({3: made[3], 1: made[1], 2: made[2]}, tmp_path)
    assert close(clips.greys(cut.path)[:24], 40)


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"size": "180x320"}, "merge.mismatch"),
        ({"fps": 30}, None),
        ({"codec": ("-c:v", "libx265", "-x265-params", "log-level=none")}, "merge.mismatch"),
        (
            {"codec": ("-c:v", "libx264", "-profile:v", "main", "-preset", "medium")},
            "merge.mismatch",
        ),
        ({"sound": True}, "merge.sound"),
    ],
    ids=["portrait", "30 fps", "hevc", "main profile", "sound"],
)
def test_a_clip_that_differs_is_refused_by_name(
    odd: dict[str, object], code: str | None, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match="scene 2") as caught:
        join(folder_of(tmp_path, **odd), tmp_path)
    assert code is None or caught.value.error_code == code
    assert not (tmp_path / "final.mp4").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "half", "playlist"])
def test_a_broken_clip_is_refused_by_name(damage: str, tmp_path: Path) -> None:
    made = folder_of(tmp_path)
    whole = made[2].read_bytes()
    made[2].write_bytes(
        {
            "empty": b"",
            "text": b"not a clip",
            "half": whole[: len(whole) // 2],
            "playlist": b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/hostname\n",
        }[damage]
    )
    with pytest.raises(MediaError, match="scene 2"):
        join(made, tmp_path)


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(MediaError):
        timeline.plan([])


def test_the_check_notices_a_missing_picture(tmp_path: Path) -> None:
    facts = ffmpeg.inspect(clips.make(tmp_path / "a.mp4"))
    plan = timeline.plan([(1, facts), (2, facts)])
    with pytest.raises(MediaError) as caught:
        timeline.check(facts, plan)
    assert caught.value.error_code == "merge.incomplete"
