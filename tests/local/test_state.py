"""The state directory and error messages about it and the machine."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import assembly, preflight
from infra.local.connection import Connection, current
from infra.local.errors import LocalCloudError, explain_os_error
from infra.local.postgres import Postgres
from infra.local.state import PROJECT, Lock, State, write_atomically


def test_state_seed_is_stable_and_derives_same_values(tmp_path: Path) -> None:
    first, second = State.open(tmp_path / "a"), State.open(tmp_path / "a")
    assert first == second
    assert first.derive("x") == second.derive("x") != first.derive("y")
    assert first.derive("x") != State.open(tmp_path / "b").derive("x")
    assert (tmp_path / "a" / "state.json").stat().st_mode & 0o777 == 0o600


def test_state_of_other_format_is_rejected_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"format": 99, "seed": "s"}')
    with pytest.raises(LocalCloudError, match="make clean"):
        State.open(tmp_path)
    assert json.loads(file.read_text())["format"] == 99


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}'])
def test_damaged_state_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(LocalCloudError, match="damaged"):
        State.open(tmp_path)


def test_failed_atomic_write_keeps_old_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert file.read_text() == "old"


def test_state_remembers_ports(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    assert state.remembered_port("emulator") is None
    state.remember_port("emulator", 4000)
    state.remember_port("postgres", 5000)
    assert (state.remembered_port("emulator"), state.remembered_port("postgres")) == (4000, 5000)
    (tmp_path / "ports.json").write_text("broken")
    assert state.remembered_port("emulator") is None


def test_lock_is_released_when_process_ends(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from infra.local.state import Lock; "
    code += "print(Lock(Path(sys.argv[1])).acquire(), flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    lock = Lock(tmp_path)
    assert lock.owner() == holder.pid
    assert not lock.acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert lock.acquire()
    lock.release()
    assert lock.owner() is None


def test_stale_connection_file_is_ignored(tmp_path: Path) -> None:
    Connection("http://127.0.0.1:1", "a", "b").save(tmp_path)
    assert current(tmp_path) is None
    lock = Lock(tmp_path)
    lock.acquire()
    assert current(tmp_path) == Connection("http://127.0.0.1:1", "a", "b")
    lock.release()


def test_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="MB are free"):
        preflight.check_disk(tmp_path / "not" / "there", needed=1 << 62)
    error = OSError(errno.ENOSPC, "No space left on device", "/a/file")
    assert "disk is full" in explain_os_error(error, tmp_path)
    assert "/a/file" in explain_os_error(error, tmp_path)
    denied = PermissionError(errno.EACCES, "Permission denied", "/a/file")
    assert "No permission for /a/file" in explain_os_error(denied, tmp_path)


def test_missing_wheel_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.check_packages()
    monkeypatch.setitem(preflight.PLATFORM_PACKAGES, "no_such_package", "nothing")
    with pytest.raises(LocalCloudError, match=r"no_such_package \(nothing\).*glibc"):
        preflight.check_packages()
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(LocalCloudError, match="WSL"):
        preflight.check_packages()


def test_data_of_other_postgres_version_is_rejected_unchanged(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(LocalCloudError, match=r"PostgreSQL 12.*make clean"):
        Postgres(State.open(tmp_path)).start()
    assert (data / "PG_VERSION").exists()


def test_assembly_digest_depends_only_on_inputs(tmp_path: Path) -> None:
    (tmp_path / "infra" / "local").mkdir(parents=True)
    (tmp_path / "infra" / "stack.py").write_text("a")
    before = assembly.digest(["infra", "missing.json"], tmp_path)
    (tmp_path / "infra" / "local" / "demo.py").write_text("b")
    (tmp_path / "infra" / "__pycache__").mkdir()
    (tmp_path / "infra" / "__pycache__" / "stack.pyc").write_text("c")
    assert assembly.digest(["infra", "missing.json"], tmp_path) == before
    (tmp_path / "infra" / "stack.py").write_text("d")
    assert assembly.digest(["infra", "missing.json"], tmp_path) != before
