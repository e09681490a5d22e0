"""`make up` when the API or the sweeper does not respond."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.local import cloud, commands, demo
from infra.local.connection import Connection
from tests.stand_ins import secrets_manager

SECRET = "keys"


@pytest.fixture
def silent_cloud() -> Iterator[Connection]:
    """A cloud whose API and sweeper accept connections and never respond."""
    with secrets_manager.serve() as store, closing(socket.create_server(("127.0.0.1", 0))) as api:
        store.secrets[SECRET] = {"SECRET_KEY": "s" * 64}
        outputs = {
            "ApiUrl": f"http://127.0.0.1:{api.getsockname()[1]}/live",
            "KeysSecretArn": SECRET,
            "OperatorUserId": "operator",
            "SweeperFunctionName": "sweeper",
        }
        yield Connection(store.url, "AKIATEST", "test", "stack", outputs)


def test_up_warns_and_shows_last_key_if_minting_fails(
    silent_cloud: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo.mint_key, "__defaults__", (0.3,))
    commands.welcome(silent_cloud, tmp_path)
    printed = capsys.readouterr()
    assert "Warning: The API at" in printed.err
    assert "none yet; `make key` mints one" in printed.out
    (tmp_path / demo.KEY_FILE).write_text("vg_live_last")
    commands.welcome(silent_cloud, tmp_path)
    printed = capsys.readouterr()
    assert "The last key is used instead" in printed.err
    assert "Key       vg_live_last" in printed.out


def test_up_warns_if_sweeper_fails(silent_cloud: Connection) -> None:
    reports: list[str] = []
    cloud.sweep(silent_cloud, reports.append)
    assert [report for report in reports if "Warning: the sweeper did not respond" in report]


def test_up_mints_key_before_resuming_runs(
    silent_cloud: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(demo, "mint_key", lambda *_: order.append("mint"))
    monkeypatch.setattr(cloud, "sweep", lambda *_: order.append("sweep"))
    commands.welcome(silent_cloud, tmp_path)
    assert order == ["mint", "sweep"]
