"""Hostile files are rejected quickly, with little memory, and read no other file."""

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
RED = (81, 90, 240)  # Y, Cb and Cr of the secret's frames


@pytest.fixture(scope="module")
def bait(tmp_path_factory: pytest.TempPathFactory, plain: dict[int, Path]) -> Bait:
    """A secret file of the host, whose colour is in no clip."""
    folder = tmp_path_factory.mktemp("host")
    secret = folder / "secret.ts"
    command = [coded.FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color=red:s=320x180:r=24:d=1"]
    subprocess.run([*command, "-c:v", "libx264", str(secret)], check=True)
    return Bait(secret, plain[2].read_bytes())


@contextmanager
def measured_memory() -> Iterator[dict[str, int]]:
    """Measure the peak memory of this process's children within the context, in bytes."""
    memory = {"peak": 0}
    ended = Event()

    def measure() -> None:
        while not ended.wait(0.02):
            memory["peak"] = max(memory["peak"], _children_bytes())

    thread = Thread(target=measure)
    thread.start()
    try:
        yield memory
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
            continue  # the process has ended
    return total


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_rejected_quickly_with_scene_named(
    name: str, bait: Bait, plain: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = time.monotonic()
    with measured_memory() as memory, pytest.raises(MediaError, match="scene 2") as caught:
        merge_hostile(HOSTILE[name](bait), plain)
    assert time.monotonic() - started < SECONDS
    assert memory["peak"] < MEMORY
    assert str(bait.secret) not in caught.value.detail
    assert list(tmp_path.glob("merge-*")) == []


def merge_hostile(data: bytes, plain: dict[int, Path]) -> None:
    """Merge a file as the clip of scene 2."""
    with scratch("merge") as folder:
        path = folder / "clip_002.mp4"
        path.write_bytes(data)
        clean = coded.PLAIN.frames
        clips = {1: Clip(plain[1], clean), 2: Clip(path), 3: Clip(plain[3], clean)}
        assemble.merge_clips(clips, PLAIN, folder)


def test_hostile_files_never_show_file_of_host(
    bait: Bait, plain: dict[int, Path], tmp_path: Path
) -> None:
    """A merge of all hostile files that skips rejected ones shows only the clean clip."""
    clips = {0: Clip(plain[1])}
    for number, (name, make) in enumerate(HOSTILE.items(), 1):
        path = tmp_path / f"hostile_{number}.mp4"
        path.write_bytes(make(bait))
        clips[number] = Clip(path)
        assert name
    folder = tmp_path / "merge"
    folder.mkdir()
    merged = assemble.merge_clips(clips, Output(on_broken=OnBroken.SKIP), folder)
    assert merged.frames == coded.PLAIN.frames
    raw = subprocess.run(
        [
            coded.FFMPEG,
            "-v",
            "error",
            "-i",
            str(merged.path),
            "-vf",
            "scale=1:1,format=yuv444p",
            "-f",
            "rawvideo",
            "pipe:1",
        ],
        capture_output=True,
        check=True,
    ).stdout
    frames = [raw[index : index + 3] for index in range(0, len(raw), 3)]
    assert len(frames) == coded.PLAIN.frames
    assert all(abs(frame[2] - RED[2]) > 60 for frame in frames)


def test_plain_ffmpeg_shows_bait(bait: Bait) -> None:
    """The check above can fail: plain ffmpeg follows such a playlist."""
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
