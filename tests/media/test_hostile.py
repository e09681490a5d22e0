"""Hostile files are refused by name, quickly, and leave and learn nothing."""

import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from common.domain.errors import MediaError
from common.domain.output import PLAIN, OnBroken, Output
from common.media.scratch import scratch
from infra.config import SIZES
from merge import assemble
from merge.models import Clip
from tests.media import coded, hostile
from tests.media.hostile import HOSTILE, Bait

SECONDS = 30
MEMORY = SIZES["merge"].memory * 1024 * 1024
RED = (81, 90, 240)  # of the secret's picture: Y, Cb, Cr


@pytest.fixture(scope="module")
def bait(tmp_path_factory: pytest.TempPathFactory, plain: dict[int, Path]) -> Bait:
    """A file of the host with pictures of one colour that is in no clip."""
    folder = tmp_path_factory.mktemp("host")
    secret = folder / "secret.ts"
    command = [coded.FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color=red:s=320x180:r=24:d=1"]
    subprocess.run([*command, "-c:v", "libx264", str(secret)], check=True)
    return Bait(secret, plain[2].read_bytes())


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """Measure the memory of this process's children while the block runs, in bytes."""
    found = {"most": 0}
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.02):
            found["most"] = max(found["most"], _children_bytes())

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _children_bytes() -> int:
    total = 0
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            for child in listing.read_text().split():
                pages = Path(f"/proc/{child}/statm").read_text().split()[1]
                total += int(pages) * resource.getpagesize()
        except OSError:
            continue  # it has ended meanwhile
    return total


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name(
    name: str, bait: Bait, plain: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = time.monotonic()
    with watched() as memory, pytest.raises(MediaError, match="scene 2") as caught:
        refuse(HOSTILE[name](bait), plain)
    assert time.monotonic() - started < SECONDS
    assert memory["most"] < MEMORY
    assert str(bait.secret) not in caught.value.detail
    assert list(tmp_path.glob("merge-*")) == []


def refuse(data: bytes, plain: dict[int, Path]) -> None:
    """Try to join a file that claims to be the clip of scene 2."""
    with scratch("merge") as room:
        path = room / "clip_002.mp4"
        path.write_bytes(data)
        clean = coded.PLAIN.frames
        clips = {1: Clip(plain[1], clean), 2: Clip(path), 3: Clip(plain[3], clean)}
        assemble.merge_clips(clips, PLAIN, room)


def test_no_picture_of_the_host_is_ever_shown(
    bait: Bait, plain: dict[int, Path], tmp_path: Path
) -> None:
    """All of them at once, left out where they are refused: only the clean clips are seen."""
    clips = {0: Clip(plain[1])}
    for number, (name, make) in enumerate(HOSTILE.items(), 1):
        path = tmp_path / f"hostile_{number}.mp4"
        path.write_bytes(make(bait))
        clips[number] = Clip(path)
        assert name
    room = tmp_path / "room"
    room.mkdir()
    cut = assemble.merge_clips(clips, Output(on_broken=OnBroken.SKIP), room)
    assert cut.frames == coded.PLAIN.frames
    raw = subprocess.run(
        [
            coded.FFMPEG,
            "-v",
            "error",
            "-i",
            str(cut.path),
            "-vf",
            "scale=1:1,format=yuv444p",
            "-f",
            "rawvideo",
            "pipe:1",
        ],
        capture_output=True,
        check=True,
    ).stdout
    pictures = [raw[place : place + 3] for place in range(0, len(raw), 3)]
    assert len(pictures) == coded.PLAIN.frames
    assert all(abs(picture[2] - RED[2]) > 60 for picture in pictures)


def test_the_bait_can_be_seen(bait: Bait) -> None:
    """The check above is one that can fail: ffmpeg by itself does follow such a playlist."""
    path = bait.secret.with_name("list.m3u8")
    path.write_bytes(hostile.playlist(bait))
    done = subprocess.run(
        [
            coded.FFMPEG,
            "-v",
            "error",
            "-i",
            str(path),
            "-frames:v",
            "1",
            "-vf",
            "scale=1:1,format=yuv444p",
            "-f",
            "rawvideo",
            "pipe:1",
        ],
        capture_output=True,
        check=True,
    )
    assert abs(done.stdout[2] - RED[2]) < 10
