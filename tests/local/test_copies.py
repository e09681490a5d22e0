"""Crashes, restarts and concurrent clones, with real processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from infra.local import cloud, connection
from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.postgres import Postgres
from infra.local.state import PROJECT, Lock, State
from tests.local.conftest import belongs, invoke, psutil


class CloneProcess:
    """A clone's `up` in a separate process."""

    def __init__(self, root: Path, prefix: Sequence[str] = ()) -> None:
        self.root = root
        command = [*prefix, sys.executable, "-m", "tests.local.small_stack", str(root)]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_until_ready(self) -> Connection:
        """Read the output up to the line `ready`; return the connection."""
        assert self.process.stdout is not None
        output = ""
        for line in self.process.stdout:
            output += line
            if line == "ready\n":
                link = connection.current(self.root)
                assert link is not None
                return link
        raise AssertionError(output)

    def end(self, number: int) -> None:
        """Send a signal and wait for the main process to end."""
        self.process.send_signal(number)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


def processes_of(root: Path) -> list[str]:
    """Return the command lines of all processes that use this state directory."""
    processes = psutil.process_iter(["cmdline", "environ"])
    return [" ".join(p.info["cmdline"] or []) for p in processes if belongs(p, root)]


def wait_for_processes_to_end(root: Path, seconds: float) -> list[str]:
    """Wait up to `seconds` for all processes in `root` to end; return those still running."""
    deadline = time.monotonic() + seconds
    while (remaining := processes_of(root)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return remaining


def persistent_values(link: Connection) -> dict[str, str]:
    """Return the values that must be the same after a restart."""
    secret = link.client("secretsmanager").get_secret_value(SecretId=link.outputs["SecretArn"])
    return {
        "bucket": link.outputs["MediaBucketName"],
        "url": link.base_url,
        "secret": secret["SecretString"],
        "root": link.access_key_id,
    }


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A state directory whose processes are killed after the test."""
    root = tmp_path / ".local"
    yield root
    for process in psutil.process_iter(["cmdline"]):
        if str(root) in " ".join(process.info["cmdline"] or []):
            process.kill()


def test_media_database_and_secrets_survive_sigkill(directory: Path) -> None:
    first = CloneProcess(directory)
    link = first.wait_until_ready()
    before = persistent_values(link)
    key = {"Bucket": before["bucket"], "Key": "clips/a.mp4"}
    for body in (b"first", b"frames"):
        link.client("s3").put_object(**key, Body=body, ContentType="video/mp4")
    database = Postgres(State.open(directory))
    database.port = int(link.outputs["DatabasePort"])
    with closing(database.connect("video")) as session:
        session.run("create table kept as select 41 + 1 as answer")
    invocation = link.client("lambda").invoke(
        FunctionName=link.outputs["LookName"], InvocationType="Event", Payload='{"action": "child"}'
    )
    invocation["Payload"].read()
    time.sleep(0.5)
    first.end(signal.SIGKILL)

    second = CloneProcess(directory)  # immediately, while the servers of the first still stop
    link = second.wait_until_ready()
    assert persistent_values(link) == before
    stored = link.client("s3").get_object(**key)
    versions = link.client("s3").list_object_versions(Bucket=before["bucket"])["Versions"]
    assert [version["Size"] for version in versions] == [6, 5]
    assert (stored["Body"].read(), stored["ContentType"]) == (b"frames", "video/mp4")
    database.port = int(link.outputs["DatabasePort"])
    with closing(database.connect("video")) as session:
        assert session.run("select answer from kept") == [[42]]
    assert invoke(link, {})["greeting"] == "hello from the layer"

    second.end(signal.SIGTERM)
    assert wait_for_processes_to_end(directory, 5) == []
    assert connection.current(directory) is None


def test_servers_end_when_up_is_killed(directory: Path) -> None:
    clone = CloneProcess(directory)
    link = clone.wait_until_ready()
    invoke(link, {})
    clone.end(signal.SIGKILL)
    assert wait_for_processes_to_end(directory, 10) == []


def test_orphaned_postgres_is_stopped_on_next_start(directory: Path) -> None:
    """If the supervisor was killed too, the next start finds the server by its directory."""
    state = State.open(directory)
    first = Postgres(state)
    first.start()
    pid = int((directory / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    parent = psutil.Process(pid).parent()
    assert parent is not None
    parent.kill()
    parent.wait(5)
    second = Postgres(state)
    second.start()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    with closing(second.connect()) as session:
        assert session.run("select 1") == [[1]]
    second.stop()
    first.stop()


def test_second_start_in_same_clone_names_running_instance(small: Connection, root: Path) -> None:
    with pytest.raises(LocalCloudError) as caught, cloud.running_cloud(root):
        pass
    assert str(os.getpid()) in str(caught.value)
    assert small.base_url in str(caught.value)
    assert Lock(root).owner() == os.getpid()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that other users can access, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_two_clones_run_concurrently_one_unprivileged(
    small: Connection, open_directory: Path
) -> None:
    """The second runs as `nobody` without mount namespaces, so layers are found through PATH."""
    root = open_directory / ".local"
    root.mkdir()
    prefix: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("needs setpriv to become an ordinary user")
        shutil.chown(root, "nobody")
        user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        reach = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        prefix = [setpriv, *user, *reach, "env", "HOME=/nonexistent"]
    clone = CloneProcess(root, prefix)
    try:
        link = clone.wait_until_ready()
        other, own = invoke(link, {}), invoke(small, {})
        assert other["layer_file"].startswith(str(root))
        assert other["environment"]["TMPDIR"].startswith(str(root))
        assert other["tool"] == own["tool"] == "tool of the layer\n"
        assert other["tmp"] == []
        assert invoke(link, {"action": "boto3"})["errorType"] == "ModuleNotFoundError"
        assert link.endpoint != small.endpoint
        assert link.outputs["MediaBucketName"] != small.outputs["MediaBucketName"]
    finally:
        clone.end(signal.SIGTERM)
    assert wait_for_processes_to_end(root, 5) == []
