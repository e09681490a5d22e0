"""Scratch folders are private, and are removed even after a crash."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from common.media.scratch import scratch


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_scratch_folder_is_removed_after_success_and_failure(tmp: Path) -> None:
    def use_scratch(*, fails: bool) -> None:
        with scratch("merge") as folder:
            (folder / "clip.mp4").write_bytes(b"x")
            assert folder.stat().st_mode & 0o077 == 0
            if fails:
                raise RuntimeError

    use_scratch(fails=False)
    with pytest.raises(RuntimeError):
        use_scratch(fails=True)
    assert list(tmp.glob("merge-*")) == []


def test_scratch_folder_of_a_killed_process_is_removed_by_the_next(tmp: Path) -> None:
    program = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from common.media.scratch import scratch\n"
        "with scratch('merge') as folder:\n"
        "    (folder / 'left.mp4').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    functions = Path(__file__).parents[3] / "functions"
    command = [sys.executable, "-c", program, str(tmp)]
    subprocess.run(command, check=False, env={"PYTHONPATH": str(functions)})
    assert len(list(tmp.glob("merge-*"))) == 1
    with scratch("merge") as folder:
        assert list(tmp.glob("merge-*")) == [folder]


def test_scratch_folder_in_use_is_kept() -> None:
    with scratch("merge") as first, scratch("merge") as second:
        assert first != second
        assert first.exists()
        assert second.exists()
    with scratch("clip") as first, scratch("merge"):
        assert first.exists()
