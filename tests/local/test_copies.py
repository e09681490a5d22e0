"""Crashes, restarts and two clones at once, with real processes."""

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


class Copy:
    """A clone's `up` in a process of its own."""

    def __init__(self, root: Path, prefix: Sequence[str] = ()) -> None:
        self.root = root
        command = [*prefix, sys.executable, "-m", "tests.local.small_stack", str(root)]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_until_ready(self) -> Connection:
        """Read its output up to the line `ready`."""
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
        """Send a signal and wait for the main process."""
        self.process.send_signal(number)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


def belonging_to(root: Path) -> list[str]:
    """Command lines of all processes that work in this state directory."""
    processes = psutil.process_iter(["cmdline", "environ"])
    return [" ".join(one.info["cmdline"] or []) for one in processes if belongs(one, root)]


def wait_for_nothing_left(root: Path, seconds: float) -> list[str]:
    """What is still running in `root` after at most `seconds`."""
    deadline = time.monotonic() + seconds
    while (left := belonging_to(root)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def key_facts(link: Connection) -> dict[str, str]:
    """What must be the same after a restart."""
    secret = link.client("secretsmanager").get_secret_value(SecretId=link.outputs["SecretArn"])
    return {
        "bucket": link.outputs["MediaBucketName"],
        "url": link.base_url,
        "secret": secret["SecretString"],
        "root": link.access_key_id,
    }


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A state directory of which nothing is left running."""
    root = tmp_path / ".local"
    yield root
    for process in psutil.process_iter(["cmdline"]):
        if str(root) in " ".join(process.info["cmdline"] or []):
            process.kill()


def test_media_database_and_secrets_survive_kill_9(directory: Path) -> None:
    first = Copy(directory)
    link = first.wait_until_ready()
    before = key_facts(link)
    key = {"Bucket": before["bucket"], "Key": "clips/a.mp4"}
    for body in (b"first", b"frames"):
        link.client("s3").put_object(**key, Body=body, ContentType="video/mp4")
    database = Postgres(State.open(directory))
    database.port = int(link.outputs["DatabasePort"])
    with closing(database.connect("video")) as rows:
        rows.run("create table kept as select 41 + 1 as answer")
    started = link.client("lambda").invoke(
        FunctionName=link.outputs["LookName"], InvocationType="Event", Payload='{"action": "child"}'
    )
    started["Payload"].read()
    time.sleep(0.5)
    first.end(signal.SIGKILL)

    second = Copy(directory)  # at once, while the servers of the first are still stopping
    link = second.wait_until_ready()
    assert key_facts(link) == before
    kept = link.client("s3").get_object(**key)
    versions = link.client("s3").list_object_versions(Bucket=before["bucket"])["Versions"]
    assert [version["Size"] for version in versions] == [6, 5]
    assert (kept["Body"].read(), kept["ContentType"]) == (b"frames", "video/mp4")
    database.port = int(link.outputs["DatabasePort"])
    with closing(database.connect("video")) as rows:
        assert rows.run("select answer from kept") == [[42]]
    assert invoke(link, {})["greeting"] == "hello from the layer"

    second.end(signal.SIGTERM)
    assert wait_for_nothing_left(directory, 5) == []
    assert connection.current(directory) is None


def test_all_servers_end_with_their_starter(directory: Path) -> None:
    copy = Copy(directory)
    link = copy.wait_until_ready()
    invoke(link, {})
    copy.end(signal.SIGKILL)
    assert wait_for_nothing_left(directory, 10) == []


def test_a_left_over_postgres_is_stopped(directory: Path) -> None:
    """Even its supervisor was killed: the next start finds the server by its directory."""
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
    with closing(second.connect()) as connected:
        assert connected.run("select 1") == [[1]]
    second.stop()
    first.stop()


def test_a_second_start_in_the_same_clone_says_where_the_first_is(
    small: Connection, root: Path
) -> None:
    with pytest.raises(LocalCloudError) as refused, cloud.running_cloud(root):
        pass
    assert str(os.getpid()) in str(refused.value)
    assert small.base_url in str(refused.value)
    assert Lock(root).owner() == os.getpid()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that other users can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_two_clones_at_once_one_of_them_without_privileges(
    small: Connection, open_directory: Path
) -> None:
    """The second runs as `nobody`, so without mount namespaces: layers come by PATH instead."""
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
    copy = Copy(root, prefix)
    try:
        link = copy.wait_until_ready()
        theirs, ours = invoke(link, {}), invoke(small, {})
        assert theirs["layer_file"].startswith(str(root))
        assert theirs["environment"]["TMPDIR"].startswith(str(root))
        assert theirs["tool"] == ours["tool"] == "tool of the layer\n"
        assert theirs["tmp"] == []
        assert invoke(link, {"action": "boto3"})["errorType"] == "ModuleNotFoundError"
        assert link.endpoint != small.endpoint
        assert link.outputs["MediaBucketName"] != small.outputs["MediaBucketName"]
    finally:
        copy.end(signal.SIGTERM)
    assert wait_for_nothing_left(root, 5) == []
