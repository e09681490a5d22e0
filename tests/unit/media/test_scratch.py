"""Scratch folders are private, and nothing is left of them."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from common.media.scratch import scratch


@pytest.fixture(autouse=True)
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nothing_is_left_after_success_or_failure(own_tmp: Path) -> None:
    def work(*, fails: bool) -> None:
        with scratch("merge") as folder:
            (folder / "clip.mp4").write_bytes(b"x")
            assert folder.stat().st_mode & 0o077 == 0
            if fails:
                raise RuntimeError

    work(fails=False)
    with pytest.raises(RuntimeError):
        work(fails=True)
    assert list(own_tmp.glob("merge-*")) == []


def test_what_a_killed_function_left_is_removed_by_the_next(own_tmp: Path) -> None:
    program = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from common.media.scratch import scratch\n"
        "with scratch('merge') as folder:\n"
        "    (folder / 'left.mp4').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    functions = Path(__file__).parents[3] / "functions"
    command = [sys.executable, "-c", program, str(own_tmp)]
    subprocess.run(command, check=False, env={"PYTHONPATH": str(functions)})
    assert len(list(own_tmp.glob("merge-*"))) == 1
    with scratch("merge") as folder:
        assert list(own_tmp.glob("merge-*")) == [folder]


def test_a_folder_in_use_is_left_alone() -> None:
    with scratch("merge") as one, scratch("merge") as other:
        assert one != other
        assert one.exists()
        assert other.exists()
    with scratch("clip") as one, scratch("merge"):
        assert one.exists()
